/**
 * A hard disk: addresses, PIO and DMA transfers, TRIM. Which command does what is in `ata_commands.ts`.
 *
 * Left out: DMA QUEUED, streaming, security, host protected area (READ NATIVE MAX answers, SET MAX does not), and
 * sectors other than 512 bytes.
 *
 * Source: [ATA-8 ACS] 4.1 "General feature set", 7.25 to 7.71; [ATA/ATAPI-5] 8.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { errnoOf } from "../../block/mod.ts";
import { ATA_COMMANDS } from "./ata_commands.ts";
import type { DriveBackend } from "./backend.ts";
import { Drive, type DriveHost, type DriveState, GuestError, type PioPhase, type Work } from "./drive.ts";
import type { Geometry } from "../drive/mod.ts";
import { type DiskIdentity, identifyDisk, MAX_MULTIPLE, setDiskSize } from "./identify.ts";
import { DeviceBit, ErrorBit, READY, Status } from "./registers.ts";
import { initialSmart, type SmartState } from "./smart.ts";

/** What is fixed of a disk; sizes and switches come from elsewhere. */
export type DiskDescription = Omit<DiskIdentity, "totalSectors" | "writeCache" | "multipleSectors">;

const ABSENT: DiskDescription = {
  serial: "",
  firmware: "",
  model: "",
  wwn: 0n,
  rotationRate: 0,
  geometry: { cylinders: 1, heads: 16, sectors: 63 },
  physicalBlockBytes: SECTOR_BYTES,
  trim: false,
};

/** A disk's volatile state. */
export interface DiskState extends DriveState {
  readonly remaining: number;
  readonly blockSectors: number;
  readonly multipleSectors: number;
  readonly heads: number;
  readonly sectors: number;
  /** What IDENTIFY answered, since some of it changes only by command. */
  readonly identity: Uint8Array | null;
  readonly smart: SmartState;
}

/** A disk, or without a backend the place of one. */
export class Disk extends Drive {
  readonly description: DiskDescription;
  totalSectors: number;
  /** Sectors that the command has still to move. */
  remaining = 0;
  /** Sectors of a PIO block of this command. */
  blockSectors = 1;
  multipleSectors = MAX_MULTIPLE;
  /** As INITIALIZE DEVICE PARAMETERS set it. */
  translation: Pick<Geometry, "heads" | "sectors">;
  smart: SmartState = initialSmart();
  #identity: Uint8Array | undefined;

  constructor(host: DriveHost, unit: 0 | 1, backend?: DriveBackend, description: DiskDescription = ABSENT) {
    super(host, unit, backend);
    this.description = description;
    this.translation = description.geometry;
    this.totalSectors = backend === undefined ? 0 : Math.floor(backend.sizeBytes / SECTOR_BYTES);
  }

  get signature(): "disk" | "absent" {
    return this.present ? "disk" : "absent";
  }

  /** The answer to IDENTIFY DEVICE, made when it is first asked for. */
  get identity(): Uint8Array {
    return this.#identity ??= identifyDisk({
      ...this.description,
      totalSectors: this.totalSectors,
      writeCache: this.backend?.writeCacheEnabled ?? false,
      multipleSectors: this.multipleSectors,
    });
  }

  /** The same, if it has been asked for. */
  get knownIdentity(): Uint8Array | undefined {
    return this.#identity;
  }

  /** The image has another size now. */
  resized(): void {
    this.totalSectors = Math.floor((this.backend?.sizeBytes ?? 0) / SECTOR_BYTES);
    if (this.#identity !== undefined) setDiskSize(this.#identity, this.totalSectors);
  }

  commandName(code: number): string {
    return ATA_COMMANDS.get(code)?.name ?? `ATA command ${code.toString(16).padStart(2, "0")}h`;
  }

  execute(code: number): void {
    const command = ATA_COMMANDS.get(code);
    this.file.error = 0;
    this.openRequest(this.commandName(code));
    if (command === undefined) return this.abort();
    this.file.status = Status.DRDY;
    this.extended = command.extended ?? false;
    command.run(this, code);
  }

  // Addresses ---------------------------------------------------------------------------------------------------------

  /** The address in the task file; -1 for sector 0 of a track, which there is not. */
  get lba(): number {
    const { file } = this;
    if ((file.device & DeviceBit.LBA) === 0) {
      const { heads, sectors } = this.translation;
      const cylinder = file.lbaHigh << 8 | file.lbaMid;
      return (cylinder * heads + (file.device & DeviceBit.HEAD)) * sectors + file.lbaLow - 1;
    }
    const low = file.lbaHigh << 16 | file.lbaMid << 8 | file.lbaLow;
    return this.extended
      ? (file.hobLbaHigh << 16 | file.hobLbaMid << 8 | file.hobLbaLow) * 0x1000000 + low
      : (file.device & DeviceBit.HEAD) * 0x1000000 + low;
  }

  set lba(lba: number) {
    const { file } = this;
    if ((file.device & DeviceBit.LBA) === 0) {
      const { heads, sectors } = this.translation;
      const track = Math.floor(lba / sectors);
      const cylinder = Math.floor(track / heads);
      file.lbaHigh = cylinder >> 8 & 0xff;
      file.lbaMid = cylinder & 0xff;
      file.device = file.device & ~DeviceBit.HEAD | track % heads & DeviceBit.HEAD;
      file.lbaLow = lba % sectors + 1 & 0xff;
      return;
    }
    file.lbaLow = lba % 0x100;
    file.lbaMid = Math.floor(lba / 0x100) % 0x100;
    file.lbaHigh = Math.floor(lba / 0x10000) % 0x100;
    if (!this.extended) {
      file.device = file.device & ~DeviceBit.HEAD | Math.floor(lba / 0x1000000) & DeviceBit.HEAD;
      return;
    }
    file.hobLbaLow = Math.floor(lba / 0x1000000) % 0x100;
    file.hobLbaMid = Math.floor(lba / 0x100000000) % 0x100;
    file.hobLbaHigh = Math.floor(lba / 0x10000000000) % 0x100;
  }

  /** The count in the task file, in sectors; 0 means the most. */
  get count(): number {
    const { count, hobCount } = this.file;
    return this.extended ? (hobCount << 8 | count) || 0x10000 : count || 0x100;
  }

  #inRange(sectors: number): boolean {
    const { lba } = this;
    return lba >= 0 && lba + sectors <= this.totalSectors;
  }

  /** The guest asks for sectors that there are not. */
  #refuseRange(kind: "read" | "write"): void {
    this.backend?.stats.invalid(kind, this.host.realtimeNs());
    this.abort(ErrorBit.ABRT, "out of range");
  }

  #advance(sectors: number): void {
    this.lba += sectors;
    this.remaining -= sectors;
    this.file.count = this.remaining & 0xff;
  }

  // Commands' building blocks -----------------------------------------------------------------------------------------

  /** The command is through, without data. @param status 40h where the heads are not where they were asked to be */
  finish(status: number = READY): void {
    this.done(status);
  }

  refuse(): void {
    this.abort(ErrorBit.ABRT);
  }

  /** Sends `page` to the host. */
  answer(page: Uint8Array): void {
    this.buffer.set(page);
    this.file.status = READY;
    this.beginPio("done", page.length);
    this.host.raiseInterrupt();
  }

  /** Begins a PIO transfer of the count in the task file, `blockSectors` at a time. */
  transferPio(direction: "read" | "write", blockSectors: number): void {
    this.remaining = this.count;
    this.blockSectors = blockSectors;
    this.describeRequest(this.lba, this.remaining);
    if (direction === "read") return this.#readBlock();
    this.file.status = READY;
    this.#askBlock();
  }

  /** Begins a DMA transfer: the drive waits for the bus master. */
  transferDma(work: "dma-read" | "dma-write" | "dma-trim"): void {
    if (!this.present) return this.refuse();
    this.remaining = this.count;
    this.describeRequest(work === "dma-trim" ? undefined : this.lba, work === "dma-trim" ? undefined : this.remaining);
    this.file.status = READY | Status.DRQ;
    this.awaitDma(work);
  }

  /** Makes everything durable, then ends the command. */
  flushCache(): void {
    if (!this.present) return this.finish();
    this.file.status = READY | Status.BSY;
    this.begin("flush");
  }

  // PIO ---------------------------------------------------------------------------------------------------------------

  #readBlock(): void {
    this.file.status = READY;
    if (this.remaining === 0) return this.closeRequest("ok");
    const sectors = Math.min(this.remaining, this.blockSectors);
    this.host.traces.sectorRead.emit({ lba: this.lba, sectors });
    if (!this.#inRange(sectors)) return this.#refuseRange("read");
    this.file.status = READY | Status.BSY;
    this.begin("pio-read");
  }

  #askBlock(): void {
    this.beginPio("write-block", Math.min(this.remaining, this.blockSectors) * SECTOR_BYTES);
  }

  protected blockMoved(phase: PioPhase): void {
    if (phase === "read-next") return this.#readBlock();
    if (phase === "done") return this.closeRequest("ok");
    if (phase !== "write-block") return;
    const sectors = Math.min(this.remaining, this.blockSectors);
    this.host.traces.sectorWrite.emit({ lba: this.lba, sectors });
    if (!this.#inRange(sectors)) return this.#refuseRange("write");
    this.file.status = READY | Status.BSY;
    this.begin("pio-write");
  }

  // DMA ---------------------------------------------------------------------------------------------------------------

  protected startDma(work: Work): void {
    const sectors = this.remaining;
    const dma = this.host.master?.collect(sectors * SECTOR_BYTES);
    if (dma === undefined) {
      this.file.status = READY;
      this.host.master?.finish(false);
      return this.closeRequest("the table is too short");
    }
    if (this.host.traces.dma.enabled) {
      const name = work === "dma-read" ? "DMA READ" : work === "dma-write" ? "DMA WRITE" : "DMA TRIM";
      this.host.traces.dma.emit({ drive: this.name, lba: this.lba, sectors, name });
    }
    if (work !== "dma-trim" && !this.#inRange(sectors)) {
      this.#refuseRange(work === "dma-read" ? "read" : "write");
      return void this.host.master?.finish(false);
    }
    this.dma = dma;
    this.begin(work);
  }

  // Requests ----------------------------------------------------------------------------------------------------------

  protected async perform(work: Work): Promise<void> {
    const backend = this.backend!;
    const at = this.lba * SECTOR_BYTES;
    switch (work) {
      case "dma-read":
        return await backend.read(at, this.dma!.vector);
      case "dma-write":
        return await backend.write(at, this.dma!.vector);
      case "dma-trim":
        return await this.#trim(this.dma!.vector.toBytes());
      case "pio-read":
        return await backend.read(at, this.#pioVector());
      case "pio-write":
        return await backend.write(at, this.#pioVector());
      default:
        return await backend.flush();
    }
  }

  #pioVector(): IoVector {
    return IoVector.of(this.buffer.subarray(0, Math.min(this.remaining, this.blockSectors) * SECTOR_BYTES));
  }

  protected succeed(work: Work): void {
    this.file.error = 0;
    switch (work) {
      case "pio-read":
        this.file.status = READY;
        this.beginPio("read-next", Math.min(this.remaining, this.blockSectors) * SECTOR_BYTES);
        this.#advance(Math.min(this.remaining, this.blockSectors));
        return this.host.raiseInterrupt();
      case "pio-write":
        this.#advance(Math.min(this.remaining, this.blockSectors));
        this.file.status = READY;
        if (this.remaining > 0) this.#askBlock();
        else this.closeRequest("ok");
        return this.host.raiseInterrupt();
      case "dma-read":
      case "dma-write":
      case "dma-trim":
        this.#advance(this.remaining);
        return this.#endDma();
      default:
        return this.done();
    }
  }

  #endDma(): void {
    const more = this.dma?.more ?? false;
    this.done();
    this.host.master?.finish(more);
  }

  protected failed(work: Work, error: unknown): void {
    this.abortFor(error);
    if (work.startsWith("dma-")) this.host.master?.finish(false);
  }

  /** TRIM: 64 entries in a sector, each an address of 6 bytes and a count of 2. [ATA-8 ACS] 7.10.3.2. */
  async #trim(entries: Uint8Array): Promise<void> {
    const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
    for (let at = 0; at + 8 <= entries.length; at += 8) {
      const sectors = view.getUint16(at + 6, true);
      if (sectors === 0) continue;
      const lba = view.getUint16(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
      if (lba + sectors > this.totalSectors) throw new GuestError("out of range");
      try {
        await this.backend!.discard(lba * SECTOR_BYTES, sectors * SECTOR_BYTES);
      } catch (error) {
        if (errnoOf(error) !== "ENOTSUP") throw error; // A hint: an image need not take it.
      }
    }
  }

  // Reset and state ---------------------------------------------------------------------------------------------------

  protected diagnose(): void {
    this.done();
  }

  protected resetSettings(): void {
    this.remaining = 0;
    this.blockSectors = 1;
    this.multipleSectors = MAX_MULTIPLE;
    this.translation = this.description.geometry;
  }

  save(): DiskState {
    return {
      ...this.saveCommon(),
      remaining: this.remaining,
      blockSectors: this.blockSectors,
      multipleSectors: this.multipleSectors,
      heads: this.translation.heads,
      sectors: this.translation.sectors,
      identity: this.#identity?.slice() ?? null,
      smart: { ...this.smart, log: this.smart.log.slice() },
    };
  }

  load(state: DiskState): void {
    this.loadCommon(state);
    this.remaining = Math.min(Math.max(state.remaining, 0), 0x10000);
    this.blockSectors = Math.min(Math.max(state.blockSectors, 1), MAX_MULTIPLE);
    this.multipleSectors = Math.min(Math.max(state.multipleSectors, 0), MAX_MULTIPLE);
    this.translation = { heads: Math.max(state.heads, 1), sectors: Math.max(state.sectors, 1) };
    this.#identity = state.identity?.slice() ?? undefined;
    this.smart = { ...state.smart, log: state.smart.log.slice() };
  }
}
