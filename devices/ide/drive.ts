/**
 * What a disk and a CD drive share: task file, PIO buffer, one block request at a time, errors, reset, state.
 *
 * A command either ends at once, or asks for a phase: a PIO block, a DMA transfer that waits for the bus master, or a
 * block request. Phases are named, not closures, so that a snapshot keeps them. A request that failed under the policy
 * "stop" is held and begun again by {@link Drive.resume}.
 *
 * Source: [ATA/ATAPI-6] 9 "Protocol", [ATA-8 ACS] 4.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { IoVector } from "../../base/io_vector.ts";
import { BlockError } from "../../block/mod.ts";
import type { DriveBackend } from "./backend.ts";
import type { IdeTraces } from "./traces.ts";
import { ataErrorOf } from "./failure.ts";
import { DeviceBit, emptyTaskFile, ErrorBit, READY, SIGNATURES, Status, type TaskFile } from "./registers.ts";

/** Guest memory that a bus master collected for one request. */
export interface DmaBuffer {
  readonly vector: IoVector;
  /** The table goes on after what the request needs. */
  readonly more: boolean;
  /** The slices were written. */
  changed(): void;
}

/** A bus master as a drive sees it. */
export interface DmaMaster {
  /** Whether software has started it. */
  readonly active: boolean;
  /** Memory for `lengthBytes`; `undefined` where the table is shorter. */
  collect(lengthBytes: number): DmaBuffer | undefined;
  /** The drive is through; `more`: the table was longer than the request. */
  finish(more: boolean): void;
}

/** A command that has ended, as watchers see it. */
export interface DriveRequest {
  readonly command: string;
  readonly lba?: number;
  readonly sectors?: number;
  readonly bytes: number;
  readonly result: string;
  readonly startNs: number;
  readonly durationNs: number;
}

/** What a drive needs around it. */
export interface DriveHost {
  readonly name: string;
  readonly traces: IdeTraces;
  readonly master: DmaMaster | undefined;
  raiseInterrupt(): void;
  /** The virtual clock: when a request began. */
  nowNs(): number;
  /** The realtime clock: how long it took. */
  realtimeNs(): number;
  /** Absent while nobody watches. */
  request?(drive: Drive, request: DriveRequest): void;
}

/** What happens when a PIO block has been moved. */
export type PioPhase = "none" | "done" | "read-next" | "write-block" | "packet" | "reply-next";

/** A block request, or a transfer that waits for the bus master. */
export type Work =
  | "pio-read"
  | "pio-write"
  | "dma-read"
  | "dma-write"
  | "dma-trim"
  | "flush"
  | "packet-pio"
  | "packet-dma";

/** A drive's volatile state. */
export interface DriveState {
  readonly file: TaskFile;
  readonly phase: PioPhase;
  readonly position: number;
  readonly end: number;
  readonly buffer: Uint8Array;
  /** Waits for the bus master. */
  readonly waiting: Work | null;
  /** Failed under "stop"; begun again at `resume`. */
  readonly held: Work | null;
  readonly extended: boolean;
}

/** What only the guest is to blame for: no error policy is asked, the command just fails. */
export class GuestError extends Error {
  override readonly name = "GuestError";
}

interface OpenRequest {
  command: string;
  lba: number | undefined;
  sectors: number | undefined;
  bytes: number;
  readonly startNs: number;
  readonly beganNs: number;
}

/** The largest PIO block: a packet's byte count, plus the part of a sector on each side. */
export const BUFFER_BYTES = 0x10000 + 2 * 2352;

/** One drive, or the place of one. */
export abstract class Drive {
  readonly host: DriveHost;
  readonly unit: 0 | 1;
  readonly backend: DriveBackend | undefined;
  readonly file: TaskFile = emptyTaskFile();
  /** The command uses 48-bit addresses. */
  extended = false;
  #buffer: Uint8Array | undefined;
  #phase: PioPhase = "none";
  #position = 0;
  #end = 0;
  #waiting: Work | undefined;
  #held: Work | undefined;
  #job: Promise<void> | undefined;
  #epoch = 0;
  #open: OpenRequest | undefined;
  protected dma: DmaBuffer | undefined;

  constructor(host: DriveHost, unit: 0 | 1, backend: DriveBackend | undefined) {
    this.host = host;
    this.unit = unit;
    this.backend = backend;
  }

  abstract readonly signature: keyof typeof SIGNATURES;
  /** Runs a command that the channel has let through. */
  abstract execute(code: number): void;
  /** Moves the data of a request. */
  protected abstract perform(work: Work): Promise<void>;
  /** The request has succeeded. */
  protected abstract succeed(work: Work): void;
  /** The request has failed, and the guest is to know. */
  protected abstract failed(work: Work, error: unknown): void;
  /** A PIO block has been moved. */
  protected abstract blockMoved(phase: PioPhase): void;
  /** The bus master runs: gather memory and begin. */
  protected abstract startDma(work: Work): void;
  protected abstract diagnose(): void;
  /** What a guest has set goes back to how it was at power on, after every kind of reset. */
  protected abstract resetSettings(): void;
  /** A command's name, for traces. */
  abstract commandName(code: number): string;

  /** Whether anything is plugged in here. */
  get present(): boolean {
    return this.backend !== undefined;
  }

  /** For traces and requests. */
  get name(): string {
    return this.backend?.name || `${this.host.name}.${this.unit}`;
  }

  get buffer(): Uint8Array {
    return this.#buffer ??= new Uint8Array(BUFFER_BYTES);
  }

  get phase(): PioPhase {
    return this.#phase;
  }

  /** Bytes of the PIO block that are not moved yet. */
  get pioLeft(): number {
    return this.#end - this.#position;
  }

  get waitsForDma(): boolean {
    return this.#waiting !== undefined;
  }

  /** Whether a request failed under "stop" and waits for `resume`. */
  get holdsRequest(): boolean {
    return this.#held !== undefined;
  }

  /** Resolves when no block request is in flight; `undefined` when none is. */
  get job(): Promise<void> | undefined {
    return this.#job;
  }

  // PIO ---------------------------------------------------------------------------------------------------------------

  /** Lets the guest move `lengthBytes` of the buffer through the data register. */
  protected beginPio(phase: PioPhase, lengthBytes: number): void {
    assert(lengthBytes <= BUFFER_BYTES, `PIO block of ${lengthBytes} bytes`);
    this.#phase = phase;
    this.#position = 0;
    this.#end = lengthBytes;
    this.file.status |= Status.DRQ;
  }

  /** Ends a PIO block, moved or not. */
  protected endPio(): void {
    this.#phase = "none";
    this.#position = this.#end = 0;
    this.file.status &= ~Status.DRQ;
  }

  /** The data register: 2 or 4 bytes. What is not there reads as zero. */
  readData(size: 2 | 4): number {
    if (!this.#towardsHost()) return 0;
    let value = 0;
    for (let i = 0; i < size && this.#position < this.#end; i++) value += this.buffer[this.#position++]! * 2 ** (8 * i);
    this.#checkBlockEnd();
    return value;
  }

  writeData(size: 2 | 4, value: number): void {
    if (!this.#towardsDevice()) return;
    let rest = value;
    for (let i = 0; i < size && this.#position < this.#end; i++, rest = Math.floor(rest / 256)) {
      this.buffer[this.#position++] = rest % 256;
    }
    this.#checkBlockEnd();
  }

  #towardsHost(): boolean {
    return (this.file.status & Status.DRQ) !== 0 &&
      (this.#phase === "read-next" || this.#phase === "reply-next" || this.#phase === "done");
  }

  #towardsDevice(): boolean {
    return (this.file.status & Status.DRQ) !== 0 && (this.#phase === "write-block" || this.#phase === "packet");
  }

  #checkBlockEnd(): void {
    if (this.#position < this.#end) return;
    const phase = this.#phase;
    const moved = this.#end;
    this.endPio();
    if (this.#open !== undefined && phase !== "packet") this.#open.bytes += moved;
    this.blockMoved(phase);
  }

  // Block requests ----------------------------------------------------------------------------------------------------

  /** Begins a request; what follows it happens in {@link succeed} or {@link failed}. */
  protected begin(work: Work): void {
    const epoch = this.#epoch;
    const job = this.perform(work).then(
      () => this.#ended(work, epoch, false, undefined),
      (error) => this.#ended(work, epoch, true, error),
    );
    const settled = job.finally(() => {
      if (this.#job === settled) this.#job = undefined;
    });
    this.#job = settled;
  }

  #ended(work: Work, epoch: number, failed: boolean, error: unknown): void {
    const { dma } = this;
    if (isRead(work)) dma?.changed();
    if (epoch !== this.#epoch) {
      this.dma = undefined;
      if (dma !== undefined) this.host.master?.finish(false);
      return;
    }
    this.#job = undefined;
    if (failed) {
      const action = error instanceof GuestError
        ? "report"
        : this.backend?.reportError(isRead(work) ? "read" : "write", error) ?? "report";
      if (action === "stop") {
        this.#held = work;
        this.dma = undefined;
        return;
      }
      if (action === "report") {
        this.failed(work, error);
        this.dma = undefined;
        return;
      }
    }
    if (dma !== undefined && this.#open !== undefined) this.#open.bytes += dma.vector.length;
    this.succeed(work);
    this.dma = undefined;
  }

  /** Waits for the bus master, or goes at once where it runs already. */
  protected awaitDma(work: Work): void {
    this.#waiting = work;
    if (this.host.master?.active) this.dmaStarted();
  }

  /** The bus master has been started. */
  dmaStarted(): void {
    const work = this.#waiting;
    if (work === undefined || this.#held !== undefined || this.#job !== undefined) return;
    this.#waiting = undefined;
    this.startDma(work);
  }

  /** The machine runs again: a held request is begun anew. */
  resume(): void {
    const work = this.#held;
    if (work === undefined) return;
    this.#held = undefined;
    if (work.startsWith("dma-") || work === "packet-dma") this.startDma(work);
    else this.begin(work);
  }

  // Ends of commands --------------------------------------------------------------------------------------------------

  /** The command has ended well, without data. */
  protected done(status: number = READY): void {
    this.file.status = status;
    this.host.raiseInterrupt();
    this.closeRequest("ok");
  }

  /** The command is refused or has failed: [ATA-8 ACS] 6.6.3. */
  protected abort(error: number = ErrorBit.ABRT, result = "aborted"): void {
    this.endPio();
    this.file.status = Status.DRDY | Status.ERR;
    this.file.error = error;
    this.host.raiseInterrupt();
    this.closeRequest(result);
  }

  /** The command has failed for `error`. */
  protected abortFor(error: unknown): void {
    const failure = error instanceof BlockError ? error.failure : undefined;
    this.abort(ataErrorOf(failure), error instanceof Error ? error.message : String(error));
  }

  /** A command begins, as watchers see it. */
  protected openRequest(command: string): void {
    this.#open = this.host.request === undefined ? undefined : {
      command,
      lba: undefined,
      sectors: undefined,
      bytes: 0,
      startNs: this.host.nowNs(),
      beganNs: this.host.realtimeNs(),
    };
  }

  /** What the command is about; an empty name leaves the one it has. */
  protected describeRequest(lba: number | undefined, sectors: number | undefined, command = ""): void {
    if (this.#open === undefined) return;
    if (command !== "") this.#open.command = command;
    this.#open.lba = lba;
    this.#open.sectors = sectors;
  }

  protected closeRequest(result: string): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const { command, lba, sectors, bytes, startNs, beganNs } = open;
    this.host.request?.(this, {
      command,
      ...(lba === undefined ? {} : { lba }),
      ...(sectors === undefined ? {} : { sectors }),
      bytes,
      result,
      startNs,
      durationNs: this.host.realtimeNs() - beganNs,
    });
  }

  // Reset -------------------------------------------------------------------------------------------------------------

  /** Gives up what is under way; the job that is in flight still ends, but changes nothing. */
  cancel(): Promise<void> | undefined {
    if (this.#job !== undefined) this.host.traces.cancel.emit({});
    this.#epoch++;
    this.#held = undefined;
    this.#waiting = undefined;
    this.endPio();
    this.closeRequest("reset");
    return this.#job;
  }

  /** Count, LBA and device as they tell a guest what is here: [ATA/ATAPI-6] 9.12. */
  setSignature(): void {
    const [lbaMid, lbaHigh] = SIGNATURES[this.signature];
    Object.assign(this.file, { device: DeviceBit.ONES, count: 1, lbaLow: 1, lbaMid, lbaHigh });
  }

  /** A soft reset: settings, then as after a diagnostic. */
  softReset(): void {
    this.resetSettings();
    this.runDiagnostic();
  }

  /** EXECUTE DEVICE DIAGNOSTIC. */
  runDiagnostic(): void {
    this.setSignature();
    this.file.error = 0x01; // Device 0 passed, device 1 passed or is not there.
    this.diagnose();
  }

  /** The state after power on. Nothing is in flight. */
  powerOn(): void {
    this.host.traces.reset.emit({ drive: this.name });
    this.cancel();
    Object.assign(this.file, emptyTaskFile());
    this.extended = false;
    this.resetSettings();
    this.setSignature();
    this.file.status = READY;
  }

  // State -------------------------------------------------------------------------------------------------------------

  /** What {@link loadCommon} takes. Nothing is in flight. */
  protected saveCommon(): DriveState {
    return {
      file: { ...this.file },
      phase: this.#phase,
      position: this.#position,
      end: this.#end,
      buffer: this.buffer.slice(),
      waiting: this.#waiting ?? null,
      held: this.#held ?? null,
      extended: this.extended,
    };
  }

  protected loadCommon(state: DriveState): void {
    this.cancel();
    Object.assign(this.file, state.file);
    this.buffer.set(state.buffer.subarray(0, BUFFER_BYTES));
    this.#phase = state.phase;
    this.#end = Math.min(Math.max(state.end, 0), BUFFER_BYTES);
    this.#position = Math.min(Math.max(state.position, 0), this.#end);
    this.#waiting = state.waiting ?? undefined;
    this.#held = state.held ?? undefined;
    this.extended = state.extended;
  }
}

function isRead(work: Work): boolean {
  return work === "pio-read" || work === "dma-read" || work === "packet-pio" || work === "packet-dma";
}
