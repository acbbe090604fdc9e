/**
 * Carries out the controller's commands on data: between a drive's medium and the DMA controller or the data register.
 *
 * A transfer goes round through its phases: load a run of sectors, let the guest take them; or let the guest give them,
 * store them. A request to the medium that fails under the policy "stop" stays in its phase and is made again by
 * {@link DataEngine.resume}.
 *
 * Source: [82078] 5.1 "Data Transfer Commands", 3.2 "DMA and non-DMA transfers".
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { BlockError } from "../../block/mod.ts";
import type { DeviceContext, IsaDma } from "../bus/mod.ts";
import type { FloppyAction, TransferKind } from "./commands.ts";
import type { FloppyDrive } from "./floppy_drive.ts";
import type { FloppyFormat } from "./geometry.ts";
import { Msr, SECTOR_BYTES, SECTOR_CODE_512, St0, St1, St2 } from "./registers.ts";
import {
  ADDRESS_BYTES,
  formatOf,
  offsetOf,
  passSector,
  runSectors,
  scanned,
  takesData,
  type Transfer,
  transferOf,
} from "./transfer.ts";

/** What the engine works with. */
export interface DataEngineSite {
  readonly context: DeviceContext;
  drive(unit: number): FloppyDrive | undefined;
  dma(): IsaDma | undefined;
  readonly channel: number;
  showStatus(msr: number): void;
  interrupt(): void;
  /** The result phase begins. */
  finish(...result: number[]): void;
}

/** The engine; at most one command is under way. */
export class DataEngine {
  readonly #site: DataEngineSite;
  #transfer: Transfer | undefined;
  #name = "";
  #job: Promise<void> | undefined;
  #epoch = 0;

  constructor(site: DataEngineSite) {
    this.#site = site;
  }

  /** The command under way. */
  get transfer(): Transfer | undefined {
    return this.#transfer;
  }

  /** Resolves when the request in flight has ended; `undefined` while there is none. */
  get job(): Promise<void> | undefined {
    return this.#job;
  }

  /** Begins a command; it ends by {@link DataEngineSite.finish}, perhaps at once. */
  begin(action: FloppyAction, name: string, command: readonly number[], how: { byDma: boolean; rate: number }): void {
    const [, select = 0, cylinder = 0, head = 0, sector = 0] = command;
    const unit = select & 3;
    const drive = this.#site.drive(unit);
    const format = drive?.format;
    const refuse = (st0: number, st1: number, at = [cylinder, head, sector]) =>
      this.#site.finish(St0.Abnormal | st0 | unit, st1, 0, ...at, SECTOR_CODE_512);
    if (drive === undefined || format === undefined) return refuse(0, drive === undefined ? St1.EndOfCylinder : 0);
    this.#name = name;
    const startNs = this.#site.context.clocks.virtual.nowNs();
    const { byDma } = how;
    if (action === "format") {
      if (drive.writeProtected) return refuse(0, St1.WriteProtected, [drive.cylinder, (select >> 2) & 1, 1]);
      if (how.rate !== format.rate) return refuse(0, St1.NoAddressMark, [drive.cylinder, (select >> 2) & 1, 1]);
      return this.#start(formatOf(command, drive.cylinder, { byDma, startNs }));
    }
    const before = drive.head << 2;
    if (cylinder > format.cylinders || head >= format.heads) return refuse(before, 0);
    if (sector > format.sectors) return refuse(before, St1.EndOfCylinder);
    if (sector === 0) return refuse(before, St1.NoData);
    const headMoved = drive.cylinder !== cylinder;
    drive.seek(cylinder);
    drive.head = head;
    const st0 = (headMoved ? St0.SeekEnd : 0) | (head << 2);
    if (how.rate !== format.rate) return refuse(st0, St1.NoAddressMark);
    if (action === "write" && drive.writeProtected) return refuse(st0, St1.WriteProtected);
    this.#start(transferOf(action as TransferKind, command, format, { byDma, headMoved, startNs }));
  }

  /** Gives the command up; a request in flight goes on into nothing. */
  cancel(): void {
    this.#epoch++;
    this.#transfer = undefined;
    this.#site.dma()?.request(this.#site.channel, 0);
  }

  /** Takes up a saved command. */
  load(transfer: Transfer | undefined): void {
    this.#epoch++;
    this.#transfer = transfer;
  }

  /** Makes a request that failed once more. */
  resume(): void {
    if (this.#transfer !== undefined && this.#transfer.phase !== "move" && this.#job === undefined) this.#access();
  }

  /** The DMA controller would take or give bytes now. */
  dmaReady(): void {
    if (this.#transfer?.phase === "move" && this.#transfer.byDma) this.#moveByDma(this.#transfer);
  }

  /** The guest reads the data register. */
  readByte(): number {
    const transfer = this.#transfer;
    if (transfer?.phase !== "move" || transfer.byDma || takesData(transfer)) return 0;
    const byte = transfer.buffer[transfer.position]!;
    this.#moved(transfer, 1, false);
    return byte;
  }

  /** The guest writes the data register. */
  writeByte(value: number): void {
    const transfer = this.#transfer;
    if (transfer?.phase !== "move" || transfer.byDma || !takesData(transfer)) return;
    transfer.buffer[transfer.position] = value;
    this.#moved(transfer, 1, false);
  }

  #start(transfer: Transfer): void {
    this.#transfer = transfer;
    this.#nextRun(transfer);
  }

  /** Prepares the buffer for as many sectors as lie together and are wanted. */
  #nextRun(transfer: Transfer): void {
    transfer.position = 0;
    transfer.passed = 0;
    if (transfer.kind !== "format") {
      const wanted = this.#wantedBytes(transfer);
      const single = transfer.kind === "scan" || (takesData(transfer) && !transfer.byDma);
      const sectors = single ? 1 : runSectors(transfer, wanted);
      transfer.buffer = new Uint8Array(sectors * SECTOR_BYTES);
    }
    if (takesData(transfer)) this.#offer(transfer);
    else {
      transfer.phase = "load";
      this.#access();
    }
  }

  #wantedBytes({ leftBytes, byDma, kind }: Transfer): number {
    const dma = byDma && kind !== "verify" ? this.#site.dma() : undefined;
    const ready = dma?.isReady(this.#site.channel) ?? false;
    return ready ? Math.min(leftBytes, dma!.remainingBytes(this.#site.channel)) : leftBytes;
  }

  /** The guest's turn. */
  #offer(transfer: Transfer): void {
    transfer.phase = "move";
    if (transfer.leftBytes === 0) return this.#end(transfer, 0, 0);
    if (transfer.kind === "verify") {
      return this.#moved(transfer, Math.min(transfer.buffer.length, transfer.leftBytes), false);
    }
    if (transfer.byDma) {
      this.#site.dma()?.request(this.#site.channel, 1);
      return this.#moveByDma(transfer);
    }
    const direction = takesData(transfer) ? 0 : Msr.ToHost;
    this.#site.showStatus(Msr.Ready | direction | Msr.NoDma | Msr.Busy);
    this.#site.interrupt();
  }

  #moveByDma(transfer: Transfer): void {
    const { channel } = this.#site;
    const dma = this.#site.dma();
    if (dma === undefined || !dma.isReady(channel)) return;
    const remaining = dma.remainingBytes(channel);
    const end = Math.min(transfer.buffer.length, transfer.position + transfer.leftBytes);
    const part = transfer.buffer.subarray(transfer.position, end);
    const count = dma.transfer(channel, part, takesData(transfer) ? "from-memory" : "to-memory");
    if (count > 0) this.#moved(transfer, count, count === remaining);
  }

  /** `count` bytes have gone over; `last`: the DMA controller has reached its terminal count. */
  #moved(transfer: Transfer, count: number, last: boolean): void {
    transfer.position += count;
    transfer.leftBytes -= count;
    transfer.movedBytes += count;
    if (last) transfer.ended = true;
    if (takesData(transfer)) {
      if (transfer.position < transfer.buffer.length && transfer.leftBytes > 0 && !last) return;
      // A sector that was not given in full is filled up with zeroes.
      transfer.phase = transfer.kind === "scan" ? "load" : "store";
      this.#access();
      return;
    }
    this.#pass(transfer);
    if (transfer.leftBytes === 0 || transfer.ended) this.#end(transfer, 0, 0);
    else if (transfer.position === transfer.buffer.length) this.#nextRun(transfer);
  }

  /** Counts sectors that are through. */
  #pass(transfer: Transfer): void {
    const format = this.#site.drive(transfer.unit)?.format;
    if (format === undefined) return;
    while (transfer.position - transfer.passed * SECTOR_BYTES >= SECTOR_BYTES) passSector(transfer, format);
  }

  /** Makes the request that the phase asks for; what follows comes when it has ended. */
  #access(): void {
    const transfer = this.#transfer!;
    const epoch = this.#epoch;
    this.#site.showStatus(Msr.Busy | (transfer.byDma ? 0 : Msr.NoDma));
    this.#job = this.#perform(transfer).then(
      (result) => {
        this.#job = undefined;
        if (epoch === this.#epoch) result();
      },
      (error) => {
        this.#job = undefined;
        if (epoch === this.#epoch) this.#failed(transfer, error);
      },
    );
  }

  /** Reads or writes the medium; resolves to what is to be done then. */
  async #perform(transfer: Transfer): Promise<() => void> {
    const drive = this.#site.drive(transfer.unit);
    const format = drive?.format;
    if (drive?.backend === undefined || format === undefined) return () => this.#end(transfer, St0.Abnormal, 0);
    if (transfer.kind === "format") {
      await this.#storeFormat(transfer, drive, format);
      return () => this.#end(transfer, 0, 0);
    }
    const at = offsetOf(transfer, format);
    if (transfer.phase === "store") {
      const bytes = transfer.buffer.subarray(0, Math.ceil(transfer.position / SECTOR_BYTES) * SECTOR_BYTES);
      bytes.fill(0, transfer.position);
      await drive.backend.write(at, IoVector.of(bytes.subarray(0, onDisk(drive, at, bytes.length))));
      return () => this.#stored(transfer);
    }
    const scan = transfer.kind === "scan";
    const into = scan ? new Uint8Array(SECTOR_BYTES) : transfer.buffer;
    const length = onDisk(drive, at, into.length);
    if (length > 0) await drive.backend.read(at, IoVector.of(into.subarray(0, length)));
    return () => scan ? this.#compare(transfer, into) : this.#offer(transfer);
  }

  #stored(transfer: Transfer): void {
    this.#pass(transfer);
    if (transfer.leftBytes === 0 || transfer.ended) this.#end(transfer, 0, 0);
    else this.#nextRun(transfer);
  }

  #compare(transfer: Transfer, disk: Uint8Array): void {
    const { met, equal } = scanned(transfer.command[0]!, disk, transfer.buffer.subarray(0, transfer.position));
    if (met) return this.#end(transfer, 0, 0, equal ? St2.ScanHit : 0);
    this.#pass(transfer);
    if (transfer.leftBytes === 0 || transfer.ended) this.#end(transfer, 0, 0, St2.ScanNotSatisfied);
    else this.#nextRun(transfer);
  }

  /** Fills every sector of the track whose address is a plain one. */
  async #storeFormat(transfer: Transfer, drive: FloppyDrive, format: FloppyFormat): Promise<void> {
    const fill = new Uint8Array(SECTOR_BYTES).fill(transfer.command[5]!);
    for (let at = 0; at + ADDRESS_BYTES <= transfer.position; at += ADDRESS_BYTES) {
      const [cylinder, head, sector = 0, sizeCode] = transfer.buffer.subarray(at, at + ADDRESS_BYTES);
      const here = cylinder === transfer.cylinder && head === transfer.head && sizeCode === SECTOR_CODE_512;
      if (!here || sector < 1 || sector > format.sectors || transfer.head >= format.heads) continue;
      const offset = offsetOf({ ...transfer, sector }, format);
      if (onDisk(drive, offset, SECTOR_BYTES) === SECTOR_BYTES) await drive.backend!.write(offset, IoVector.of(fill));
    }
  }

  /** The medium has refused: as werror and rerror have it. */
  #failed(transfer: Transfer, error: unknown): void {
    const writes = transfer.phase === "store";
    if (!(error instanceof BlockError)) throw error;
    const action = this.#site.drive(transfer.unit)?.backend?.reportError(writes ? "write" : "read", error) ?? "report";
    if (action === "stop") return;
    if (action === "report") return this.#end(transfer, St0.Abnormal, St1.DataError, St2.DataError, error.message);
    if (writes) this.#stored(transfer);
    else this.#offer(transfer);
  }

  #end(transfer: Transfer, st0: number, st1: number, st2 = 0, result = "ok"): void {
    const { unit, cylinder, head, sector, headMoved } = transfer;
    this.#transfer = undefined;
    const { context } = this.#site;
    this.#site.dma()?.request(this.#site.channel, 0);
    const drive = this.#site.drive(unit);
    if (drive !== undefined) {
      drive.seek(cylinder);
      drive.head = head;
    }
    const seek = headMoved ? St0.SeekEnd : 0;
    this.#site.finish(st0 | seek | (head << 2) | unit, st1, st2, cylinder, head, sector, SECTOR_CODE_512);
    context.request?.({
      device: drive?.backend?.name || `floppy${unit}`,
      path: drive?.path ?? "",
      command: this.#name,
      bytes: transfer.movedBytes,
      result,
      startNs: transfer.startNs,
      durationNs: context.clocks.virtual.nowNs() - transfer.startNs,
    });
  }
}

/** How many of `length` bytes at `at` the image has: it may be shorter than its format. */
function onDisk(drive: FloppyDrive, at: number, length: number): number {
  return Math.max(0, Math.min(length, (drive.backend?.sizeBytes ?? 0) - at));
}
