/**
 * A CD/DVD drive: packet commands over PIO and DMA, medium and tray.
 *
 * A packet's reply is either bytes that the drive has made up, or blocks of the medium, which are fetched as the host
 * takes them: by PIO in parts of at most the byte count limit, by DMA in one piece.
 *
 * Left out: writing, audio, subchannels, overlapped commands.
 *
 * Source: [ATA/ATAPI-6] 8.23 "PACKET", 9.8 "PACKET command protocol"; [SFF-8020i] 5.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { PACKET_COMMANDS } from "./atapi_commands.ts";
import type { DriveBackend } from "./backend.ts";
import { setFeatures } from "./features.ts";
import { type DmaMaster, Drive, type DriveHost, type DriveState, type PioPhase, type Work } from "./drive.ts";
import { Asc, type Sense, SenseKey, senseOf } from "./failure.ts";
import { identifyPacketDrive } from "./identify.ts";
import { type CdNames, MediaEvent, sectorHeader } from "./mmc_replies.ts";
import { InterruptReason, READY, Status } from "./registers.ts";

const PACKET_BYTES = 12;
const BLOCK_BYTES = 2048;
const RAW_BYTES = 2352;
const HEADER_BYTES = 16;
const FEATURE_DMA = 0x01;
const FEATURE_OVERLAP = 0x02;

/** How far the host has been told of a changed medium: not at all, that it is gone, that there is a new one. */
type Changed = "told" | "tell-gone" | "tell-new";

/** A reply under way. */
interface Reply {
  /** Bytes in all. */
  total: number;
  /** Bytes that the host has. */
  sent: number;
  /** The first block; -1 for a reply that lies in the buffer. */
  lba: number;
  /** 2048, or 2352 with header and check bytes. */
  blockBytes: number;
}

/** A CD drive's volatile state. */
export interface CdState extends DriveState {
  readonly reply: Reply;
  readonly byDma: boolean;
  readonly sense: Sense;
  readonly trayOpen: boolean;
  readonly locked: boolean;
  readonly changed: Changed;
  readonly newMedia: boolean;
  readonly ejectWanted: boolean;
  /** What IDENTIFY PACKET DEVICE answered. */
  readonly identity: Uint8Array | null;
}

/** A CD drive. */
export class CdDrive extends Drive {
  readonly signature = "packet";
  readonly names: CdNames;
  sense: Sense = { key: SenseKey.NONE, asc: Asc.NONE };
  locked = false;
  #trayOpen = false;
  #changed: Changed = "told";
  #newMedia = false;
  #ejectWanted = false;
  #byDma = false;
  #identity: Uint8Array | undefined;
  #reply: Reply = { total: 0, sent: 0, lba: -1, blockBytes: BLOCK_BYTES };

  constructor(host: DriveHost, unit: 0 | 1, backend: DriveBackend, names: CdNames) {
    super(host, unit, backend);
    this.names = names;
  }

  get trayOpen(): boolean {
    return this.#trayOpen;
  }

  /** Blocks of 2048 bytes. */
  get blocks(): number {
    return Math.floor((this.backend?.sizeBytes ?? 0) / BLOCK_BYTES);
  }

  /** A medium is in, and the tray is closed. */
  get mediumReady(): boolean {
    return !this.#trayOpen && this.blocks > 0;
  }

  // ATA commands ------------------------------------------------------------------------------------------------------

  commandName(code: number): string {
    return COMMAND_NAMES.get(code) ?? `ATA command ${code.toString(16).padStart(2, "0")}h`;
  }

  execute(code: number): void {
    this.file.error = 0;
    this.openRequest(this.commandName(code));
    switch (code) {
      case 0xa0:
        return this.#packet();
      case 0xa1:
        this.buffer.set(this.#identity ??= identifyPacketDrive(this.names));
        this.file.status = READY;
        this.beginPio("done", 512);
        return this.host.raiseInterrupt();
      case 0x90:
        return this.runDiagnostic();
      case 0xe7:
        return this.flushCache();
      case 0xef:
        return setFeatures(this);
      case 0x20:
      case 0xec: // The signature tells a host that looks for a disk what it has found: [ATA/ATAPI-6] 9.12.
        this.setSignature();
        return this.abort();
      default:
        return this.abort();
    }
  }

  get knownIdentity(): Uint8Array | undefined {
    return this.#identity;
  }

  finish(): void {
    this.done();
  }

  refuse(): void {
    this.abort();
  }

  /** Nothing is ever written. */
  flushCache(): void {
    this.done();
  }

  /** DEVICE RESET. */
  deviceReset(): void {
    this.resetSettings();
    this.setSignature();
    this.file.error = 0;
    this.file.status = 0;
  }

  protected diagnose(): void {
    this.file.status = 0;
    this.closeRequest("ok");
  }

  #packet(): void {
    if ((this.file.features & FEATURE_OVERLAP) !== 0) return this.abort();
    this.#byDma = (this.file.features & FEATURE_DMA) !== 0;
    this.file.status = READY;
    this.#setReason(InterruptReason.COMMAND);
    this.beginPio("packet", PACKET_BYTES);
  }

  #setReason(reason: number): void {
    this.file.count = this.file.count & ~InterruptReason.MASK | reason;
  }

  // Packets -----------------------------------------------------------------------------------------------------------

  protected blockMoved(phase: PioPhase): void {
    if (phase === "packet") return this.#run(this.buffer.slice(0, PACKET_BYTES));
    if (phase === "done") return this.closeRequest("ok");
    this.#nextBlock();
  }

  #run(packet: Uint8Array): void {
    const code = packet[0]!;
    const command = PACKET_COMMANDS.get(code);
    const name = command?.name ?? `packet command ${code.toString(16).padStart(2, "0")}h`;
    this.describeRequest(undefined, undefined, name);
    const { atapiCommand, atapiPacket } = this.host.traces;
    if (atapiPacket.enabled) atapiPacket.emit({ drive: this.name, limit: this.#limit, packet });
    if (atapiCommand.enabled) atapiCommand.emit({ drive: this.name, code, name });
    const attention = command?.allowsUnitAttention ?? false;
    if (this.sense.key === SenseKey.UNIT_ATTENTION && !attention) {
      this.host.traces.atapiCheckStatus.emit({ drive: this.name });
      return this.checkCondition(this.sense);
    }
    if (!attention && this.#changed !== "told" && this.mediumReady) return this.#tellChange();
    if (command?.needsMedium && !this.mediumReady) {
      return this.checkCondition({ key: SenseKey.NOT_READY, asc: Asc.MEDIUM_NOT_PRESENT });
    }
    if (!command?.noData && !this.#byDma && this.#limitRegister === 0) return this.#refuseSilently();
    if (command === undefined) {
      return this.checkCondition({ key: SenseKey.ILLEGAL_REQUEST, asc: Asc.ILLEGAL_OPCODE });
    }
    command.run(this, new DataView(packet.buffer));
  }

  /** First the medium is gone, with the next command there is a new one: hosts that do not ask for events rely on it. */
  #tellChange(): void {
    const gone = this.#changed === "tell-gone";
    this.#changed = gone ? "tell-new" : "told";
    this.checkCondition(
      gone
        ? { key: SenseKey.NOT_READY, asc: Asc.MEDIUM_NOT_PRESENT }
        : { key: SenseKey.UNIT_ATTENTION, asc: Asc.MEDIUM_MAY_HAVE_CHANGED },
    );
  }

  /** A byte count limit of 0 with data to move: aborted without an interrupt, as QEMU does. */
  #refuseSilently(): void {
    this.file.status = Status.DRDY | Status.ERR;
    this.file.error = 0x04;
    this.closeRequest("aborted");
  }

  /** The packet has been carried out. */
  succeedPacket(): void {
    this.file.error = 0;
    this.#setReason(InterruptReason.COMMAND | InterruptReason.TO_HOST);
    this.done();
  }

  /** The packet has failed, or says that something happened before. */
  checkCondition(sense: Sense): void {
    this.host.traces.atapiError.emit({ drive: this.name, ...sense });
    this.sense = sense;
    this.endPio();
    this.file.error = sense.key << 4;
    this.file.status = Status.DRDY | Status.ERR;
    this.#setReason(InterruptReason.COMMAND | InterruptReason.TO_HOST);
    this.host.raiseInterrupt();
    this.closeRequest(`sense ${sense.key.toString(16)}/${sense.asc.toString(16).padStart(2, "0")}`);
  }

  outOfRange(): void {
    this.checkCondition({ key: SenseKey.ILLEGAL_REQUEST, asc: Asc.LOGICAL_BLOCK_OUT_OF_RANGE });
  }

  /** Sends a reply of at most `allocationBytes`. */
  reply(bytes: Uint8Array, allocationBytes: number): void {
    const total = Math.min(bytes.length, allocationBytes);
    if (total === 0) return this.succeedPacket();
    this.buffer.set(bytes);
    this.#reply = { total, sent: 0, lba: -1, blockBytes: BLOCK_BYTES };
    if (!this.#byDma) return this.#nextBlock();
    this.file.status = READY | Status.DRQ;
    this.awaitDma("packet-dma");
  }

  /** Sends blocks of the medium. */
  readBlocks(lba: number, count: number, blockBytes: number): void {
    this.describeRequest(lba, count);
    if (count === 0) return this.succeedPacket();
    if (lba + count > this.blocks) return this.outOfRange();
    const { atapiRead } = this.host.traces;
    const method = this.#byDma ? "dma" : "pio";
    if (atapiRead.enabled) atapiRead.emit({ drive: this.name, method, lba, sectors: count });
    this.#reply = { total: count * blockBytes, sent: 0, lba, blockBytes };
    if (!this.#byDma) return this.#nextBlock();
    this.file.status = READY | Status.DRQ | Status.BSY;
    this.awaitDma("packet-dma");
  }

  // Moving replies ----------------------------------------------------------------------------------------------------

  get #limitRegister(): number {
    return this.file.lbaHigh << 8 | this.file.lbaMid;
  }

  /** Bytes of a PIO block at most: even, since the data register is 16 bits wide; 0xffff means 0xfffe. */
  get #limit(): number {
    return this.#limitRegister & 0xfffe || 0xfffe;
  }

  get #blockLength(): number {
    return Math.min(this.#reply.total - this.#reply.sent, this.#limit);
  }

  #nextBlock(): void {
    const reply = this.#reply;
    const { atapiReply, atapiReplyEnd } = this.host.traces;
    if (atapiReply.enabled) atapiReply.emit({ drive: this.name, left: reply.total - reply.sent, done: reply.sent });
    if (reply.sent >= reply.total) {
      this.succeedPacket();
      return atapiReplyEnd.emit({ drive: this.name, status: this.file.status });
    }
    if (reply.lba < 0) return this.#showBlock();
    this.file.status = READY | Status.BSY;
    this.begin("packet-pio");
  }

  /** The next part is in the buffer: lets the host take it. */
  #showBlock(): void {
    const reply = this.#reply;
    const length = this.#blockLength;
    const { atapiReplyLimit, atapiReplyNew } = this.host.traces;
    if (atapiReplyLimit.enabled) atapiReplyLimit.emit({ drive: this.name, limit: this.#limitRegister });
    if (reply.lba < 0 && reply.sent > 0) this.buffer.copyWithin(0, reply.sent, reply.total);
    this.file.lbaMid = length & 0xff;
    this.file.lbaHigh = length >> 8;
    this.#setReason(InterruptReason.TO_HOST);
    this.file.status = READY;
    if (reply.lba < 0) {
      // What is left moves to the front of the buffer.
      reply.total -= reply.sent;
      reply.sent = 0;
    }
    reply.sent += length;
    this.beginPio("reply-next", length);
    this.host.raiseInterrupt();
    if (atapiReplyNew.enabled) atapiReplyNew.emit({ drive: this.name, status: this.file.status });
  }

  protected startDma(work: Work): void {
    const dma = this.host.master?.collect(this.#reply.total);
    // A table that is too short leaves the drive as it is: the host has to reset it.
    if (dma === undefined) return this.host.master?.finish(false);
    this.dma = dma;
    if (this.#reply.lba >= 0) return this.begin(work);
    dma.vector.copyFrom(this.buffer.subarray(0, this.#reply.total));
    dma.changed();
    this.dma = undefined;
    this.#endDma(this.host.master);
  }

  #endDma(master: DmaMaster | undefined): void {
    this.succeedPacket();
    master?.finish(false);
  }

  protected async perform(work: Work): Promise<void> {
    const { lba, sent, blockBytes, total } = this.#reply;
    if (work === "packet-dma") {
      const { vector } = this.dma!;
      const sectors = total / blockBytes;
      this.host.traces.atapiReadDma.emit({ drive: this.name, lba, sectors });
      if (blockBytes === BLOCK_BYTES) return await this.backend!.read(lba * BLOCK_BYTES, vector);
      return await this.#readRaw(lba, sectors, (bytes, at) => vector.copyFrom(bytes, at));
    }
    const first = Math.floor(sent / blockBytes);
    const last = Math.ceil((sent + this.#blockLength) / blockBytes);
    const skip = sent - first * blockBytes;
    if (blockBytes === BLOCK_BYTES) {
      const into = this.buffer.subarray(0, (last - first) * BLOCK_BYTES);
      await this.backend!.read((lba + first) * BLOCK_BYTES, IoVector.of(into));
    } else {
      await this.#readRaw(lba + first, last - first, (bytes, at) => this.buffer.set(bytes, at));
    }
    if (skip > 0) this.buffer.copyWithin(0, skip);
  }

  /** Reads blocks with a header made up for each and check bytes of zero. */
  async #readRaw(lba: number, count: number, put: (bytes: Uint8Array, at: number) => void): Promise<void> {
    const sector = new Uint8Array(RAW_BYTES);
    const data = IoVector.of(sector.subarray(HEADER_BYTES, HEADER_BYTES + BLOCK_BYTES));
    for (let i = 0; i < count; i++) {
      await this.backend!.read((lba + i) * BLOCK_BYTES, data);
      sector.set(sectorHeader(lba + i));
      put(sector, i * RAW_BYTES);
    }
  }

  protected succeed(work: Work): void {
    if (work === "packet-pio") this.#showBlock();
    else this.#endDma(this.host.master);
  }

  protected failed(work: Work, error: unknown): void {
    this.checkCondition(senseOf(error));
    if (work === "packet-dma") this.host.master?.finish(false);
  }

  // Tray and medium ---------------------------------------------------------------------------------------------------

  /** The guest moves the tray. */
  moveTray(open: boolean): void {
    if (this.#trayOpen === open) return;
    this.#trayOpen = open;
    this.backend?.trayMoved(open);
  }

  /** The user has put a medium in, or opened the tray or taken it out. */
  mediumChanged(loaded: boolean): void {
    this.#changed = "tell-gone";
    this.#newMedia = true;
    this.#ejectWanted = false;
    this.moveTray(!loaded);
    this.host.raiseInterrupt();
  }

  /** The user has pressed the button; `force` also unlocks. */
  ejectRequest(force: boolean): void {
    this.#ejectWanted = true;
    if (force) this.locked = false;
    this.host.raiseInterrupt();
  }

  /** The event that GET EVENT STATUS NOTIFICATION is to report, once. */
  takeEvent(): number {
    if (this.#trayOpen) return MediaEvent.NONE;
    if (this.#newMedia) {
      this.#newMedia = false;
      return MediaEvent.NEW_MEDIA;
    }
    if (!this.#ejectWanted) return MediaEvent.NONE;
    this.#ejectWanted = false;
    return MediaEvent.EJECT_REQUEST;
  }

  // Reset and state ---------------------------------------------------------------------------------------------------

  /** The tray closes and is unlocked; what is known of the medium's changes stays. */
  protected resetSettings(): void {
    this.locked = false;
    this.moveTray(false);
    this.sense = { key: SenseKey.NONE, asc: Asc.NONE };
    this.#byDma = false;
    this.#reply = { total: 0, sent: 0, lba: -1, blockBytes: BLOCK_BYTES };
  }

  save(): CdState {
    return {
      ...this.saveCommon(),
      reply: { ...this.#reply },
      byDma: this.#byDma,
      sense: { ...this.sense },
      trayOpen: this.#trayOpen,
      locked: this.locked,
      changed: this.#changed,
      newMedia: this.#newMedia,
      ejectWanted: this.#ejectWanted,
      identity: this.#identity?.slice() ?? null,
    };
  }

  load(state: CdState): void {
    this.loadCommon(state);
    const { total, sent, lba, blockBytes } = state.reply;
    this.#reply = {
      total: Math.max(total, 0),
      sent: Math.min(Math.max(sent, 0), Math.max(total, 0)),
      lba: Math.max(lba, -1),
      blockBytes: blockBytes === RAW_BYTES ? RAW_BYTES : BLOCK_BYTES,
    };
    this.#byDma = state.byDma;
    this.sense = { ...state.sense };
    this.locked = state.locked;
    this.#trayOpen = state.trayOpen;
    this.#changed = state.changed;
    this.#newMedia = state.newMedia;
    this.#ejectWanted = state.ejectWanted;
    this.#identity = state.identity?.slice() ?? undefined;
  }
}

const COMMAND_NAMES: ReadonlyMap<number, string> = new Map([
  [0x08, "DEVICE RESET"],
  [0x20, "READ SECTOR(S)"],
  [0x90, "EXECUTE DEVICE DIAGNOSTIC"],
  [0xa0, "PACKET"],
  [0xa1, "IDENTIFY PACKET DEVICE"],
  [0xe7, "FLUSH CACHE"],
  [0xec, "IDENTIFY DEVICE"],
  [0xef, "SET FEATURES"],
]);
