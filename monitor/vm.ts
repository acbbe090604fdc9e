/**
 * The scripting facade: a machine as one object, with a typed method for each command of the monitor.
 *
 * Methods return data; {@link Vm.monitor} gives the prompt's text for those who want that. Commands of scripts, prompts
 * and sockets take turns in one queue.
 *
 * @module
 */
import { type Clocks, HostClock } from "../base/clocks.ts";
import { requirePermissions } from "../base/permissions.ts";
import { HostRandom, type Random, SeededRandom } from "../base/random.ts";
import { TraceEvents } from "../base/trace.ts";
import { uuidText } from "../base/uuid.ts";
import { type BlockBackend, findBreakpoints, type SnapshotInfo } from "../block/mod.ts";
import type { DeviceRequest } from "../devices/bus/mod.ts";
import {
  ChardevSet,
  guestBus,
  type Machine,
  type MachineEvents,
  parseChardev,
  type QtestAccelerator,
  wireMachine,
  WiringError,
} from "../machine/mod.ts";
import { allCommands, COMMANDS, type Commands } from "./commands/mod.ts";
import type { ReadOnlyMode } from "./commands/drives.ts";
import type { Explanation } from "./commands/explain.ts";
import type { GraphDrawing } from "./commands/graph.ts";
import type { IoAnswer } from "./commands/qemu_io.ts";
import type { MemoryDump, PortRead } from "./commands/memory.ts";
import type { LogAnswer } from "./commands/trace.ts";
import { type DriveAddition, type DriveMaker, MachineDriveMaker } from "./drive_maker.ts";
import { deviceNotFound } from "./errors.ts";
import { HmpMonitor, HmpSession } from "./hmp/monitor.ts";
import type { QmpServer } from "./qmp/mod.ts";
import { MonitorLog } from "./log.ts";
import { denoLogHost } from "./log_file.ts";
import type { ArgumentValues, DataFormat } from "./schema/arguments.ts";
import type { AnyCommand, ResultOf } from "./schema/command.ts";
import { VmInfo } from "./vm/info.ts";
import { type QmpData, type QmpName, type QmpResult, qmpServer } from "./vm/qmp.ts";
import { Deadlines } from "./vm/deadline.ts";
import type { IoLimits, VmOptions } from "./vm/options.ts";
import { openSerials, serialEvidence } from "./vm/open_serials.ts";
import { RequestTraces } from "./vm/request_traces.ts";
import { pressKeys, typeText } from "./vm/keys.ts";
import { screenEvidence, VmScreen } from "./vm/screen.ts";
import type { VmSerial } from "./vm/serial.ts";
import { temporaryFiles } from "./vm/temporary.ts";
import { writeBytesFile, writeTextFile } from "./write_file.ts";
import { matchesRequest, type RequestFilter, VmBackend, VmDevice } from "./vm/views.ts";
import { next, until, type WaitOptions } from "./vm/waits.ts";
import { wishesOf } from "./vm/wishes.ts";

/** What a facade is put over; {@link Vm.start} makes it, and so do tools that build their machine themselves. */
export interface VmParts {
  readonly machine: Machine;
  /** The accelerator, where it is the one that scripts play the guest of. */
  readonly qtest?: QtestAccelerator | undefined;
  readonly drives?: DriveMaker;
  /** Owned from then on; without devices where absent. */
  readonly chardevs?: ChardevSet;
  readonly log?: MonitorLog;
  readonly serials?: readonly (VmSerial | undefined)[];
  readonly uuid?: string;
  readonly strict?: boolean;
}

/** A timer that never matters, but for being there. */
const KEEP_ALIVE_MS = 2 ** 30;
const NO_UUID = "00000000-0000-0000-0000-000000000000";

/** The names of commands. */
export type CommandName = keyof Commands;

/** What command `Name` takes. */
export type CommandValues<Name extends CommandName> = ArgumentValues<Commands[Name]["arguments"]>;

/**
 * A machine.
 *
 * ```ts
 * import { Vm } from "./vm.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using vm = await Vm.start({ drives: ["driver=null-co,if=none,id=d0"], paused: true });
 * assertEquals((await vm.info.status()).status, "prelaunch");
 * await vm.cont();
 * assertEquals(await vm.monitor("info status"), "VM status: running\n");
 * ```
 */
export class Vm implements AsyncDisposable {
  readonly machine: Machine;
  /** What prompts and sockets are joined to. */
  readonly hmp: HmpMonitor;
  /** What clients of the machine protocol are joined to. */
  readonly qmpServer: QmpServer;
  readonly log: MonitorLog;
  /** What serial ports and monitors talk over. */
  readonly chardevs: ChardevSet;
  /** Serial ports that the script talks over, by number from COM1 on; `undefined` for others. */
  readonly serials: readonly (VmSerial | undefined)[];
  /** What the guest shows. */
  readonly screen: VmScreen;
  /** What `info` shows, as data. */
  readonly info: VmInfo;
  /** Resolves when the machine has ended; rejects with what an image said while it was closed. */
  readonly closed: Promise<void>;
  readonly #qtest: QtestAccelerator | undefined;
  readonly #session: HmpSession;
  readonly #settleClosed = Promise.withResolvers<void>();
  #ending: Promise<void> | undefined;

  private constructor(parts: VmParts) {
    const { machine } = parts;
    this.machine = machine;
    this.#qtest = parts.qtest;
    this.chardevs = parts.chardevs ?? newChardevs(() => {});
    this.serials = parts.serials ?? [];
    const deadlines = new Deadlines(machine, () => this.#evidence());
    this.screen = new VmScreen(machine, deadlines);
    for (const serial of this.serials) serial?.attach(deadlines);
    this.chardevs.terminate = () => void this.quit().catch(() => {});
    this.chardevs.saveDisks = () => void this.monitor("commit all");
    this.log = parts.log ?? new MonitorLog(denoLogHost());
    machine.trace.sink = (line) => this.log.line(line);
    const requests = new RequestTraces(machine);
    this.hmp = new HmpMonitor({
      machine,
      drives: parts.drives ?? new MachineDriveMaker(machine),
      chardevs: this.chardevs,
      log: this.log,
      registry: allCommands({ strict: parts.strict ?? false }),
      uuid: parts.uuid ?? NO_UUID,
      strict: parts.strict ?? false,
      writeFile: writeTextFile,
      writeBytes: writeBytesFile,
      // What goes wrong there is told by `closed`.
      quit: () => void this.quit().catch(() => {}),
    }, () => requests.refresh());
    this.#session = this.hmp.session();
    this.qmpServer = qmpServer(machine, this.hmp);
    this.info = new VmInfo((name, values) => this.execute(name, values));
    this.closed = this.#settleClosed.promise;
    // Not everybody waits for it.
    this.closed.catch(() => {});
  }

  /**
   * Builds a machine and starts it (unless `paused`).
   *
   * @throws WiringError with QEMU's text; nothing is left open then
   */
  static async start(options: VmOptions = {}): Promise<Vm> {
    requirePermissions("script");
    const warn = options.warn ?? ((text) => console.error(text));
    const clocks: Omit<Clocks, "virtual"> = options.clocks ??
      { realtime: new HostClock(), host: new HostClock({ sinceEpoch: true }) };
    const random: Random = options.random ??
      (options.seed === undefined ? new HostRandom() : new SeededRandom(options.seed));
    await using undo = new AsyncDisposableStack();
    const chardevs = undo.use(newChardevs(warn));
    for (const wanted of options.chardevs ?? []) {
      if (typeof wanted !== "string") chardevs.put(wanted);
      else {
        const { id, wish } = parseChardev(wanted);
        await chardevs.add(id, wish);
      }
    }
    const ports = await openSerials(options, chardevs);
    const wishes = wishesOf(options, warn);
    const built = await wireMachine({ ...wishes, serials: ports.map(({ id }) => id) }, {
      clocks,
      chardevs,
      random,
      trace: new TraceEvents(),
      warn: (text, origin) => warn(origin === undefined ? text : `${origin}: ${text}`),
      notice: warn,
      temporary: temporaryFiles(),
      strict: options.strict ?? false,
    }).catch((error) => {
      throw error instanceof WiringError ? error.withHelp() : error;
    });
    undo.move();
    const uuid = wishes.firmwareItems?.uuid;
    const vm = new Vm({
      machine: built.machine,
      chardevs,
      serials: ports.map(({ script }) => script),
      qtest: built.qtest,
      drives: new MachineDriveMaker(built.machine, { unplugged: built.unplugged }),
      strict: options.strict ?? false,
      ...(uuid === undefined ? {} : { uuid: uuidText(uuid) }),
    });
    chardevs.start();
    try {
      if (options.loadvm !== undefined) await vm.loadvm(options.loadvm);
      if (!options.paused) await vm.cont();
      return vm;
    } catch (error) {
      await vm[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Puts the facade over a machine that was built elsewhere, and owns it from then on. */
  static over(parts: VmParts): Vm {
    return new Vm(parts);
  }

  /** Runs a command by name; its values and its answer are typed. @throws what the command throws */
  execute<Name extends CommandName>(name: Name, values: CommandValues<Name>): Promise<ResultOf<Commands[Name]>> {
    const command: AnyCommand = COMMANDS[name];
    return this.hmp.exclusive(() => command.run(this.hmp.context([]), values));
  }

  /** Runs a command of the machine protocol; its data and its answer are typed. @throws what the command throws */
  qmp<Name extends QmpName>(name: Name, data: QmpData<Name>): Promise<QmpResult<Name>> {
    return this.qmpServer.execute(name, data) as Promise<QmpResult<Name>>;
  }

  /** Types `line` at the prompt; what it prints, errors included. */
  async monitor(line: string): Promise<string> {
    let text = "";
    const add = (more: string) => void (text += more);
    await this.#session.execute(line, { print: add, host: add, hostError: add });
    return text;
  }

  /** A device by path, by id, or by the name of its drive. @throws MonitorError */
  device(name: string): VmDevice {
    const device = this.machine.findDevice(name);
    if (device === undefined) throw deviceNotFound(name);
    return new VmDevice(this.machine, device);
  }

  /** A drive by name. @throws MonitorError */
  backend(name: string): VmBackend {
    const backend: BlockBackend | undefined = this.machine.backends.find(name);
    if (backend === undefined) throw deviceNotFound(name);
    return new VmBackend(backend);
  }

  /** COM1, or the first port that the script talks over. @throws TypeError where there is none */
  get serial(): VmSerial {
    const serial = this.serials.find((port) => port !== undefined);
    if (serial === undefined) throw new TypeError('no serial port is the script\'s: start it with serial: ["script"]');
    return serial;
  }

  /** Writes what the guest shows as a picture: PPM, or PNG. */
  screendump(
    filename: string,
    options: { readonly format?: "ppm" | "png"; readonly device?: string; readonly head?: number } = {},
  ): Promise<void> {
    const { head, ...others } = options;
    return this.execute("screendump", { filename, ...others, ...(head === undefined ? {} : { head: BigInt(head) }) });
  }

  /**
   * Presses keys together and lets them go, `"ctrl-alt-f1"`, each argument after the one before; resolves when the last
   * key is up, which takes the guest's time. @throws MonitorError for what is no key
   */
  sendKeys(...strokes: readonly string[]): Promise<void> {
    return pressKeys(this.machine, strokes);
  }

  /** Types `text` on a US keyboard, key by key; resolves when the guest has been given all. @throws RangeError */
  type(text: string): Promise<void> {
    return typeText(this.machine, text);
  }

  /** Ports, memory and interrupts as the guest's drivers see them. */
  get guest(): ReturnType<typeof guestBus> {
    return guestBus(this.machine);
  }

  /** The accelerator that a script plays the guest of: it moves the clock. */
  get qtest(): QtestAccelerator {
    if (this.#qtest === undefined) throw new TypeError("this machine has a CPU of its own");
    return this.#qtest;
  }

  /** Calls `handler` at each request of the guest that `filter` means; the returned function ends that. */
  on(event: "request", filter: RequestFilter, handler: (request: DeviceRequest) => void): () => void {
    return this.machine.events.on(event, (request) => {
      if (matchesRequest(filter, request)) handler(request);
    });
  }

  /** Resolves at the next request that `filter` means. @throws WaitError with the guest's last 50 requests */
  request(filter: RequestFilter, options?: WaitOptions): Promise<DeviceRequest> {
    return next(this.machine, "a request", (found) => this.on("request", filter, found), options);
  }

  /** Resolves at the machine's next event of that name, `STOP` for one. @throws WaitError */
  event<Name extends keyof MachineEvents>(name: Name, options?: WaitOptions): Promise<MachineEvents[Name]> {
    return next(this.machine, `event ${name}`, (found) => this.machine.events.on(name, found), options);
  }

  /** Waits until `holds` says so; `what` is for the message where it never does. @throws WaitError */
  until(what: string, holds: () => boolean | Promise<boolean>, options?: WaitOptions): Promise<void> {
    return until(this.machine, new HostClock(), what, holds, options);
  }

  stop(): Promise<void> {
    return this.execute("stop", {});
  }

  cont(): Promise<void> {
    return this.execute("cont", {});
  }

  reset(): Promise<void> {
    return this.execute("system_reset", {});
  }

  powerdown(): Promise<void> {
    return this.execute("system_powerdown", {});
  }

  /** Letters `a` to `p`, the first to be tried first. */
  bootSet(order: string): Promise<string> {
    return this.execute("boot_set", { order });
  }

  /** Takes a snapshot; without a tag the time makes it. */
  savevm(tag?: string): Promise<SnapshotInfo> {
    return this.execute("savevm", { tag });
  }

  loadvm(tag: string): Promise<void> {
    return this.execute("loadvm", { tag });
  }

  delvm(tag: string): Promise<void> {
    return this.execute("delvm", { tag });
  }

  /** Writes what an overlay holds into its backing file; `"all"` for all drives. */
  commit(device: string): Promise<void> {
    return this.execute("commit", { device });
  }

  /** Options as behind -drive. */
  driveAdd(options: string): Promise<DriveAddition> {
    return this.execute("drive_add", { pciAddress: "0", options });
  }

  /** Options as behind -blockdev. */
  nodeAdd(options: string): Promise<DriveAddition> {
    return this.execute("drive_add", { node: true, pciAddress: "0", options });
  }

  /** Plugs in a device; options as behind -device. */
  async deviceAdd(options: string): Promise<void> {
    await this.execute("device_add", { device: options });
  }

  deviceDel(id: string): Promise<void> {
    return this.execute("device_del", { id });
  }

  driveDel(id: string): Promise<void> {
    return this.execute("drive_del", { id });
  }

  /** Puts another medium into a drive. */
  change(
    device: string,
    filename: string,
    options: { readonly format?: string; readonly readOnlyMode?: ReadOnlyMode; readonly force?: boolean } = {},
  ): Promise<void> {
    return this.execute("change", { device, target: filename, ...options });
  }

  eject(device: string, options: { readonly force?: boolean } = {}): Promise<void> {
    return this.execute("eject", { device, ...options });
  }

  blockResize(device: string, sizeBytes: number): Promise<void> {
    return this.execute("block_resize", { device, size: sizeBytes });
  }

  /** Drives and nodes, and who uses what for what; below one of them where it is named. */
  graph(device = ""): Promise<GraphDrawing> {
    return this.execute("graph", { words: device });
  }

  /** Where the bytes at `offset` of a drive or node come from, layer by layer. */
  explain(device: string, offset: number): Promise<Explanation> {
    return this.execute("explain", { device, offset: BigInt(offset) });
  }

  /** Limits a drive to bytes and requests a second; what is left out, or 0, is not limited. */
  setIoThrottle(device: string, limits: IoLimits = {}): Promise<void> {
    const rate = (value = 0) => BigInt(value);
    return this.execute("block_set_io_throttle", {
      device,
      bps: rate(limits.bps),
      bps_rd: rate(limits.readBps),
      bps_wr: rate(limits.writeBps),
      iops: rate(limits.iops),
      iops_rd: rate(limits.readIops),
      iops_wr: rate(limits.writeIops),
    });
  }

  /** Runs a command of qemu-io on a drive or node, or on the drive of a device. */
  qemuIo(name: string, line: string, options: { readonly isDevice?: boolean } = {}): Promise<IoAnswer> {
    return this.execute("qemu-io", { device: name, line, ...options });
  }

  /** Reads a port. */
  readPort(port: number, sizeBytes: 1 | 2 | 4 = 1): Promise<PortRead> {
    return this.execute("i", { format: units(sizeBytes), port: BigInt(port) });
  }

  writePort(port: number, value: number, sizeBytes: 1 | 2 | 4 = 1): Promise<void> {
    return this.execute("o", { format: units(sizeBytes), port: BigInt(port), value: BigInt(value) });
  }

  /** Reads memory at a physical address, as far as there is any. */
  readMemory(address: number | bigint, lengthBytes: number): Promise<MemoryDump> {
    return this.execute("xp", { format: { ...units(1), count: lengthBytes }, address: BigInt(address) });
  }

  /** The BSD checksum of memory. */
  sum(address: number, lengthBytes: number): Promise<number> {
    return this.execute("sum", { start: BigInt(address), size: BigInt(lengthBytes) });
  }

  /** Switches trace events by name or pattern; how many there are. */
  traceEvent(pattern: string, enable: boolean): Promise<number> {
    return this.execute("trace-event", { name: pattern, enable });
  }

  /** Switches what is logged, `"guest_errors,trace:ide_*"`. */
  setLog(items: string): Promise<LogAnswer> {
    return this.execute("log", { items });
  }

  /** Writes log and traces to a file. */
  logfile(filename: string): Promise<void> {
    return this.execute("logfile", { filename });
  }

  /** Resolves when the machine has ended, and keeps the program alive until then, whether anybody can still type or not. */
  async untilClosed(): Promise<void> {
    const alive = setInterval(() => {}, KEEP_ALIVE_MS);
    try {
      await this.closed;
    } finally {
      clearInterval(alive);
    }
  }

  /** Ends the machine: all images are closed when this resolves. */
  quit(): Promise<void> {
    return this.#ending ??= this.#end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.quit();
  }

  /** What the guest last showed, for the message of a wait that failed. */
  #evidence(): string {
    const ports = this.serials.map((serial) => serial === undefined ? "" : serialEvidence(serial));
    return [screenEvidence(this.machine), ...ports].join("");
  }

  async #end(): Promise<void> {
    this.hmp.end();
    this.machine.announceShutdown("host-qmp-quit");
    try {
      // A request that nobody can resume any more would keep its drive open.
      for (const { node } of this.machine.backends.list()) findBreakpoints(node)?.clear();
      await this.machine[Symbol.asyncDispose]();
      await this.qmpServer.farewell();
      await this.chardevs[Symbol.asyncDispose]();
      this.#settleClosed.resolve();
    } catch (error) {
      this.#settleClosed.reject(error);
      throw error;
    } finally {
      this.log[Symbol.dispose]();
    }
  }
}

function newChardevs(note: (text: string) => void): ChardevSet {
  return new ChardevSet({ streams: Deno, clock: new HostClock(), note });
}

function units(sizeBytes: number): DataFormat {
  return { count: 1, format: "x", sizeBytes };
}
