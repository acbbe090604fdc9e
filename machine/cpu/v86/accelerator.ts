/**
 * `-accel v86`: one 32-bit x86 CPU, translated to WebAssembly, with interrupt controllers of its own.
 *
 * The CPU runs for about a millisecond, then everybody else has a turn of the event loop: completed requests, timers,
 * monitors, signals. When the guest waits (HLT), the process sleeps until the next timer or event. So nothing that a
 * guest does holds the process up.
 *
 * What it cannot do: 64-bit code, more than 2047 MiB of RAM, more than one CPU, SMM, code that runs from ROM.
 *
 * @module
 */
import { clearImmediate, setImmediate } from "node:timers";
import { assert } from "../../../base/assert.ts";
import type { Clock, Timer } from "../../../base/clocks.ts";
import type { Random } from "../../../base/random.ts";
import { lowerCompilerThreads } from "../../../base/host/threads.ts";
import { KiB, MiB, NS_PER_MS } from "../../../base/units.ts";
import type { GuestRam } from "../../../devices/bus/mod.ts";
import { MachineError } from "../../errors.ts";
import type { Accelerator, AcceleratorAbilities, CpuView, MachineBus } from "../accelerator.ts";
import { VirtualClock } from "./clock.ts";
import { readControllers } from "./controllers.ts";
import { Core } from "./core.ts";
import { type InstructionClock, InstructionCounter, SleptTime } from "./icount.ts";
import { Lull } from "./lull.ts";
import { type CoreModule, loadCoreModule } from "./module.ts";
import { mappings, translate } from "./pages.ts";
import { CoreRam } from "./ram.ts";
import { readRegisters } from "./registers.ts";
import { loadCore, pristineControllers, resetCore, saveCore, stateProblem } from "./state.ts";

const MAX_RAM_BYTES = 2047 * MiB;
const MAX_FIRMWARE_BYTES = 256 * KiB;
/** Where the local APIC takes messages: FEE00000 to FEEFFFFF. */
const MESSAGE_PAGE = 0xfee;
/** Shorter rests than this are not worth a timer of the host. */
const SHORTEST_SLEEP_NS = 200_000;

/** What the CPU needs of its surroundings. */
export interface V86Site {
  /** What virtual time goes by, unless it goes by instructions. */
  readonly realtime: Clock;
  readonly random: Random;
  readonly warn: (text: string) => void;
  /** `-icount`. */
  readonly icount?: InstructionClock;
}

/** The accelerator. */
export class V86Accelerator implements Accelerator {
  readonly name = "v86";
  readonly can: AcceleratorAbilities = {
    maxRamBytes: MAX_RAM_BYTES,
    runsCode: true,
    longMode: false,
    processorId: 0x0780_ab79_0000_0673n,
    smp: false,
    interruptControllers: "its own",
    romProtection: false,
    virtualClock: true,
  };
  readonly clock: VirtualClock;
  readonly cpu: CpuView = {
    registers: () => readRegisters(this.core),
    interruptControllers: () => readControllers(this.core, this.clock.nowNs() / NS_PER_MS),
    translate: (linear) => translate(this.core, linear),
    mappings: () => mappings(this.core),
  };
  readonly #module: CoreModule;
  readonly #site: V86Site;
  readonly #counter: InstructionCounter | undefined;
  /** With a counter: instructions stand still in a sleep. */
  readonly #slept: SleptTime;
  #core: Core | undefined;
  #pristine: Uint8Array = new Uint8Array(0);
  #firmware = new Uint8Array(0);
  #bus: MachineBus | undefined;
  #running = false;
  #next: ReturnType<typeof setImmediate> | undefined;
  #sleep: Timer | undefined;
  /** Whether the CPU had nothing to do, and whoever else had something has had a turn since. */
  #settled = false;
  readonly #lull = new Lull();
  #words = "";

  private constructor(module: CoreModule, site: V86Site) {
    this.#module = module;
    this.#site = site;
    const { realtime, icount } = site;
    this.#counter = icount === undefined
      ? undefined
      : new InstructionCounter(icount, () => this.#core?.instructions ?? 0);
    this.#slept = new SleptTime(() => realtime.nowNs());
    const counter = this.#counter;
    this.clock = new VirtualClock(
      counter === undefined ? () => realtime.nowNs() : () => counter.nowNs() + this.#slept.totalNs,
    );
    this.clock.onEarlier = () => this.kick();
  }

  /** Loads the core. @throws {MachineError} where it is not to be had */
  static async create(site: V86Site): Promise<V86Accelerator> {
    lowerCompilerThreads();
    return new V86Accelerator(await loadCoreModule(), site);
  }

  /** The core, for those who look into it. */
  get core(): Core {
    assert(this.#core !== undefined, "the accelerator has no RAM yet");
    return this.#core;
  }

  get running(): boolean {
    return this.#running;
  }

  mapRam(sizeBytes: number): GuestRam {
    assert(this.#core === undefined, "RAM is made once");
    this.#makeCore(sizeBytes);
    return new CoreRam(sizeBytes, () => this.core);
  }

  mapRom(_address: number, bytes: Uint8Array): void {
    if (bytes.length > MAX_FIRMWARE_BYTES) {
      throw new MachineError(
        `could not load PC BIOS: a firmware of ${
          bytes.length / KiB
        } KiB, as OVMF is, needs a CPU that runs code from ` +
          "flash memory; v86 takes up to 256 KiB, such as SeaBIOS's bios-256k.bin",
      );
    }
    this.#firmware = bytes.slice();
  }

  async attach(bus: MachineBus): Promise<void> {
    assert(this.#bus === undefined, "an accelerator serves one machine");
    this.#bus = bus;
    this.core.attach(bus);
  }

  setInterrupt(line: number, level: 0 | 1): void {
    this.#lull.end();
    this.core.drive(line, level);
  }

  signalMessage(address: bigint, data: number): void {
    this.#lull.end();
    // Fixed and lowest priority: one CPU takes either.
    if (address >> 20n !== BigInt(MESSAGE_PAGE) || (data >> 8 & 6) !== 0) return;
    this.core.pend(data & 0xff);
  }

  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.clock.start();
    this.#schedule();
  }

  /** The CPU runs only within a turn of the event loop: so it stands still now. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#settled = false;
    this.clock.stop();
    this.#unschedule();
  }

  kick(): void {
    const core = this.#core;
    if (core?.inside) core.leave();
    else if (this.#running) this.#schedule();
  }

  reset(): void {
    if (this.core.isBroken) this.#setting(() => this.#replaceCore());
    const { core } = this;
    this.#setting(() => resetCore(core, this.#pristine));
    const at = MiB - this.#firmware.length;
    if (core.ramBytes < MiB) return;
    core.ram.set(this.#firmware, at);
    core.changed(at, this.#firmware.length);
  }

  /**
   * With a counter, what goes on from here and what is loaded from here are one run. So what goes on is loaded as well:
   * what was compiled moves the moments at which interrupts are looked at.
   */
  save(): Uint8Array {
    const state = saveCore(this.core);
    if (this.#counter !== undefined) this.load(state);
    return state;
  }

  refusal(state: Uint8Array): string | undefined {
    return stateProblem(this.core, state);
  }

  load(state: Uint8Array): void {
    const nowMs = this.clock.nowNs() / NS_PER_MS;
    this.#setting(() => loadCore(this.core, state, nowMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Runs `work`, which may set the counter of instructions. */
  #setting(work: () => void): void {
    if (this.#counter === undefined) work();
    else this.#counter.across(work);
  }

  /** A panic leaves locks held: what lies in RAM goes on in a new core, as it does through a reset of a real CPU. */
  #replaceCore(): void {
    const broken = this.core;
    this.#makeCore(broken.ramBytes);
    this.core.ram.set(broken.ram);
    if (this.#bus !== undefined) this.core.attach(this.#bus);
  }

  #makeCore(ramBytes: number): void {
    this.#core = new Core(this.#module, {
      nowMs: () => this.clock.nowNs() / NS_PER_MS,
      runTimers: () => this.clock.runDue() / NS_PER_MS,
      woken: () => this.kick(),
      random: () => this.#site.random.uint32(),
      complain: (text) => this.#words += text,
    }, ramBytes);
    this.#pristine = pristineControllers(this.#core);
  }

  #schedule(): void {
    this.#endSleep();
    this.#next ??= setImmediate(() => this.#turn());
  }

  #unschedule(): void {
    this.#endSleep();
    if (this.#next !== undefined) clearImmediate(this.#next);
    this.#next = undefined;
  }

  #endSleep(): void {
    this.#slept.end();
    this.#sleep?.cancel();
    this.#sleep = undefined;
  }

  /** One slice of the CPU. */
  #turn(): void {
    this.#next = undefined;
    // Until the reset that it asked for.
    if (this.core.isBroken) return;
    const idleMs = this.#slice();
    if (!this.#running || this.#next !== undefined) return;
    // The core's timer may be due and not yet fire, by a rounding; no instruction moves time on to where it does.
    if (idleMs <= 0 && this.#counter !== undefined && this.core.halted) this.#skip(1);
    // Time that is skipped must wait for whoever has something to say before; a sleep is ended by it.
    const mayRest = this.#counter?.sleeps !== false || this.#settled;
    if (idleMs > 0 && mayRest) return this.#rest(idleMs * NS_PER_MS);
    this.#settled = idleMs > 0;
    this.#schedule();
  }

  #slice(): number {
    const { core, clock } = this;
    this.#lull.slice();
    // In HLT without interrupts the core looks at no timer.
    if (core.halted) clock.runDue();
    try {
      return core.run();
    } catch (error) {
      this.#broken(error);
      return 0;
    }
  }

  /** Sleeps until the next timer; anything that happens ends it before. */
  #rest(idleNs: number): void {
    this.#settled = false;
    const { core, clock } = this;
    const ownNs = this.#counter === undefined ? this.#lull.restNs(idleNs, core.exits, core.timerIsOneShot) : idleNs;
    const restNs = Math.min(ownNs, (clock.nextDeadlineNs ?? Infinity) - clock.nowNs());
    if (this.#counter?.sleeps === false) {
      if (Number.isFinite(restNs)) this.#skip(restNs);
      else return;
      return this.#schedule();
    }
    if (restNs < SHORTEST_SLEEP_NS) {
      if (this.#counter !== undefined) this.#skip(restNs);
      return this.#schedule();
    }
    const { realtime } = this.#site;
    this.#slept.begin(restNs);
    if (!Number.isFinite(restNs)) return;
    this.#sleep = realtime.setTimer(realtime.nowNs() + restNs, () => {
      this.#slept.endWhole();
      this.#endSleep();
      this.#turn();
    });
  }

  /** By whole nanoseconds: sums of those are exact, wherever the clock began. */
  #skip(restNs: number): void {
    this.clock.skip(Math.max(0, Math.ceil(restNs)));
  }

  /**
   * The core does not survive a fault in delivering a fault, nor what it has no code for: a real CPU shuts down, and the
   * board resets it. What a device threw is another matter.
   */
  #broken(error: unknown): void {
    this.#running = false;
    this.clock.stop();
    const words = this.#words.trim().split("\n").at(-1) || (error as Error).message;
    this.#words = "";
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
      this.#site.warn(`the CPU shut down and is reset (${words})`);
      this.#bus?.requestReset();
    } else this.#bus?.failed(new MachineError(`the CPU stopped: ${words}`, { cause: error }));
  }
}
