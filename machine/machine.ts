/**
 * A machine: a board over an accelerator, its drives, and the state that it is in.
 *
 * Changes of state (stop, cont, reset, snapshots) run one after the other, whoever asks. A machine stops in this order:
 * the CPU, then devices and drives until nothing is in flight, then the state; so whoever sees "paused" sees a machine
 * at rest.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Clocks } from "../base/clocks.ts";
import { Events } from "../base/events.ts";
import type { Random } from "../base/random.ts";
import { TraceEvents } from "../base/trace.ts";
import { MiB } from "../base/units.ts";
import { activateAll, type BlockBackend, type BlockGraph } from "../block/mod.ts";
import {
  AddressSpace,
  ALL_ADDRESSES,
  Device,
  type DeviceContext,
  type DeviceRequest,
  type DeviceTypes,
  type GuestRam,
  MemoryRegion,
  ObjectTree,
  PciDevice,
  portRegion,
  PortSpace,
  SystemBus,
} from "../devices/bus/mod.ts";
import { KeyboardController } from "../devices/chipset/mod.ts";
import { BackendSet } from "./backends.ts";
import type { ChardevSet } from "./chardev/mod.ts";
import type { Board, BoardDrive, BuiltBoard, FirmwareItems, VgaWish } from "./boards/board.ts";
import type { Accelerator } from "./cpu/mod.ts";
import { Keyboard } from "./display/keyboard.ts";
import { Pointer } from "./display/pointer.ts";
import { addDevice, type DeviceRequestOptions } from "./devices.ts";
import { MachineError } from "./errors.ts";
import { finishUnplug, plugDevice, unplugDevice } from "./hotplug.ts";
import { RequestRing } from "./request_ring.ts";
import type { MachineEvents, RunState, ShutdownCause } from "./run_state.ts";

/** Hard disk, floppy, CD: what a pc tries where nobody says otherwise. */
const DEFAULT_BOOT_ORDER = "cad";

/** What a machine is made of. It owns accelerator, graph and backends from then on. */
export interface MachineOptions {
  readonly board: Board;
  readonly accelerator: Accelerator;
  readonly graph: BlockGraph;
  /** The virtual clock is the accelerator's where that has one. */
  readonly clocks: Clocks;
  readonly random: Random;
  readonly types: DeviceTypes;
  readonly trace?: TraceEvents;
  /** What serial ports find their other ends in; not owned. */
  readonly chardevs?: ChardevSet | undefined;
  /** Ids of {@link chardevs}, one for each serial port of the board; `undefined` for one that is not there. */
  readonly serials?: readonly (string | undefined)[] | undefined;
  readonly parallels?: readonly (string | undefined)[] | undefined;
  /** No graphics card where absent. */
  readonly vga?: VgaWish | undefined;
  /** The board's default where absent. */
  readonly ramBytes?: number;
  /** Drives for the board's own controllers; their backends need not be among {@link backends}. */
  readonly drives?: readonly BoardDrive[];
  readonly backends?: readonly BlockBackend[];
  /** Letters, `"cad"`. */
  readonly bootOrder?: string;
  /** The order until the first reset. */
  readonly bootOnce?: string;
  readonly firmwareItems?: FirmwareItems;
  readonly firmware?: Uint8Array;
  /** How the firmware is called where images are listed. */
  readonly firmwareName?: string | undefined;
  /** What `-no-reboot` says: a guest's reset switches off. */
  readonly noReboot?: boolean;
  readonly name?: string;
  /** One line for the user. */
  readonly warn?: (text: string) => void;
}

/**
 * A running or standing machine.
 *
 * It begins in `prelaunch`; {@link Machine.cont} starts it.
 */
export class Machine implements AsyncDisposable {
  readonly events: Events<MachineEvents> = new Events<MachineEvents>();
  readonly board: Board;
  readonly accelerator: Accelerator;
  readonly graph: BlockGraph;
  readonly backends: BackendSet;
  readonly chardevs: ChardevSet | undefined;
  readonly clocks: Clocks;
  readonly trace: TraceEvents;
  readonly types: DeviceTypes;
  readonly objects: ObjectTree;
  readonly context: DeviceContext;
  readonly systemBus: SystemBus;
  readonly memory: AddressSpace;
  readonly ports: PortSpace;
  readonly ram: GuestRam;
  readonly name: string | undefined;
  /** The last 50 guest requests. */
  readonly requests: RequestRing = new RequestRing();
  /** Types for whoever drives the guest. */
  readonly keyboard: Keyboard;
  readonly pointer: Pointer;
  readonly #addressSpaces: AddressSpace[] = [];
  readonly #noReboot: boolean;
  readonly #boardDrives: ReadonlySet<BlockBackend>;
  #built: BuiltBoard | undefined;
  #runState: RunState = "prelaunch";
  #queue: Promise<unknown> = Promise.resolve();
  #disposed = false;
  #isComplete = false;
  #orderAfterReset: string | undefined;

  private constructor(options: MachineOptions) {
    const { board, accelerator, graph, types } = options;
    const ramBytes = options.ramBytes ?? board.defaultRamBytes;
    this.board = board;
    this.accelerator = accelerator;
    this.graph = graph;
    this.types = types;
    this.chardevs = options.chardevs;
    this.trace = options.trace ?? new TraceEvents();
    this.clocks = { ...options.clocks, virtual: accelerator.clock ?? options.clocks.virtual };
    this.objects = new ObjectTree(board.name);
    this.name = options.name;
    this.#noReboot = options.noReboot ?? false;
    if (options.bootOnce !== undefined) this.#orderAfterReset = options.bootOrder ?? DEFAULT_BOOT_ORDER;
    this.#boardDrives = new Set((options.drives ?? []).map(({ backend }) => backend));
    const systemMemory = MemoryRegion.container("system", ALL_ADDRESSES);
    this.memory = new AddressSpace("memory", systemMemory);
    this.ports = new PortSpace(portRegion());
    this.#addressSpaces.push(this.memory, this.ports);
    this.ram = allocateRam(accelerator, ramBytes);
    this.context = {
      clocks: this.clocks,
      random: options.random,
      trace: this.trace,
      ram: this.memory,
      memory: this.memory,
      ports: this.ports,
      objects: this.objects,
      warn: options.warn ?? (() => {}),
      request: (request) => this.#note(request),
      ejected: (device) =>
        void this.exclusive(() => finishUnplug(this, device)).catch((error) => this.context.warn(String(error))),
      requestReset: () => this.#guestReset(),
      requestShutdown: () => this.#guestShutdown(),
    };
    const controller = () => this.devices.find((device) => device instanceof KeyboardController);
    this.keyboard = new Keyboard(this.clocks.virtual, controller);
    this.pointer = new Pointer(controller);
    this.systemBus = new SystemBus(this.context);
    this.backends = new BackendSet({
      failed: (event) => this.#backendFailed(event),
      trayMoved: (event) => this.events.emit("DEVICE_TRAY_MOVED", event),
    });
  }

  /**
   * Builds a machine.
   *
   * @throws {MachineError} when the board cannot be built: RAM that is not to be had, a firmware that does not fit
   * @throws {PropertyError} when a drive does not fit its device
   */
  static async create(options: MachineOptions): Promise<Machine> {
    const machine = new Machine(options);
    for (const backend of options.backends ?? []) machine.backends.add(backend);
    for (const { backend } of options.drives ?? []) {
      if (!machine.backends.has(backend)) machine.backends.add(backend);
    }
    try {
      machine.#built = await options.board.build({
        context: machine.context,
        types: options.types,
        systemBus: machine.systemBus,
        systemMemory: machine.memory.root,
        systemPorts: machine.ports.root,
        ram: machine.ram,
        accelerator: options.accelerator,
        drives: options.drives ?? [],
        serials: (options.serials ?? []).map((id) => id === undefined ? undefined : machine.chardevs?.get(id)),
        parallels: (options.parallels ?? []).map((id) => id === undefined ? undefined : machine.chardevs?.get(id)),
        vga: options.vga,
        bootOrder: options.bootOnce ?? options.bootOrder ?? DEFAULT_BOOT_ORDER,
        firmwareItems: options.firmwareItems ?? {},
        firmware: options.firmware === undefined
          ? undefined
          : { name: options.firmwareName ?? "firmware", content: options.firmware },
        devices: () => machine.devices,
        addAddressSpace: (space) => void machine.#addressSpaces.push(space),
      });
      await options.accelerator.attach({
        memory: machine.memory,
        ports: machine.ports,
        acknowledgeInterrupt: () => machine.built.acknowledgeInterrupt(),
        requestReset: () => machine.#guestReset(),
        failed: (error) => machine.#cpuFailed(error),
      });
      await machine.#resetAll();
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
    return machine;
  }

  /** The built board. */
  get built(): BuiltBoard {
    assert(this.#built !== undefined, "the board is not built yet");
    return this.#built;
  }

  get runState(): RunState {
    return this.#runState;
  }

  get isRunning(): boolean {
    return this.#runState === "running";
  }

  /**
   * All devices that it begins with are there: firmware is told of them. The first start does so where nobody did.
   *
   * @throws {OptionError} what the user wants the firmware to know cannot be
   */
  complete(): void {
    if (this.#isComplete) return;
    this.built.ready();
    this.#isComplete = true;
  }

  /** Whether the board's own controllers took this drive. */
  isBoardDrive(backend: BlockBackend): boolean {
    return this.#boardDrives.has(backend);
  }

  get ramBytes(): number {
    return this.ram.sizeBytes;
  }

  /** Every device, in order of placement in the object tree below each parent. */
  get devices(): Device[] {
    const devices: Device[] = [];
    for (const { value } of this.objects.machine.walk()) if (value instanceof Device) devices.push(value);
    return devices;
  }

  /** The device at an object path, with an id, or behind the drive of that name. */
  findDevice(name: string): Device | undefined {
    const node = name.startsWith("/") ? this.objects.find(name) : this.objects.peripheral.child(name);
    if (node?.value instanceof Device) return node.value;
    const path = this.backends.find(name)?.device?.path;
    const behind = path === undefined ? undefined : this.objects.find(path)?.value;
    return behind instanceof Device ? behind : undefined;
  }

  /** All address spaces: memory, ports, CPUs', then those of bus masters. */
  get addressSpaces(): readonly AddressSpace[] {
    const masters = this.devices.filter((device) => device instanceof PciDevice).map((device) => device.dmaSpace);
    return [...this.#addressSpaces, ...masters];
  }

  /**
   * Starts or goes on; requests that stopped the machine are tried once more.
   *
   * @throws {MachineError} in a state that only a reset ends
   */
  cont(): Promise<void> {
    return this.exclusive(() => this.#start());
  }

  /** Stands still; resolves when nothing is in flight. */
  stop(state: RunState = "paused"): Promise<void> {
    return this.exclusive(() => this.#halt(state));
  }

  /** Presses the reset button; resolves when everything has its power-on state. */
  reset(cause: ShutdownCause = "host-qmp-system-reset"): Promise<void> {
    return this.exclusive(() => this.#reset(cause));
  }

  /** Presses the power button. */
  powerDown(): void {
    this.events.emit("POWERDOWN", {});
    this.built.powerButton();
  }

  /** Says that the machine ends; who owns it then disposes of it. */
  announceShutdown(reason: ShutdownCause): void {
    this.events.emit("SHUTDOWN", { guest: reason.startsWith("guest"), reason });
  }

  /** Makes a device by type and properties: `-device`, `device_add`. @throws PropertyError, MachineError */
  addDevice(request: DeviceRequestOptions): Promise<Device> {
    return addDevice(this, request);
  }

  /** Plugs a device into the finished machine: `device_add`. @throws PropertyError with QEMU's text */
  plugDevice(request: DeviceRequestOptions): Promise<Device> {
    return this.exclusive(() => plugDevice(this, request));
  }

  /**
   * Takes out the device of that id or path: `device_del`. Where its bus asks the guest, it goes when that agrees.
   *
   * @throws MachineError with QEMU's text
   */
  unplugDevice(name: string): Promise<void> {
    return this.exclusive(() => unplugDevice(this, name));
  }

  /**
   * Runs `work` when no other change of state is going on.
   *
   * Inside, {@link stop} and {@link cont} must not be called: those would wait for `work` itself.
   */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  /**
   * Stands still in `state` while `work` runs, then goes on as before; where `work` fails while restoring, the machine
   * stays as it is, in `restore-vm`, as QEMU's does.
   */
  pauseFor<T>(state: "save-vm" | "restore-vm", work: () => Promise<T>): Promise<T> {
    return this.exclusive(async () => {
      const before = this.#runState;
      await this.#halt(state);
      let done = false;
      try {
        const result = await work();
        done = true;
        return result;
      } finally {
        if (before === "running" && (done || state === "save-vm")) await this.#start();
      }
    });
  }

  /** Power-on state everywhere, as part of loading a snapshot: no event. Inside {@link pauseFor} only. */
  resetForLoad(): Promise<void> {
    return this.#resetAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.graph.jobs.cancelAll();
    await this.exclusive(async () => {
      await this.accelerator.stop();
      await this.#rest();
      for (const device of [...this.systemBus.devices, ...this.#built?.loose ?? []]) await device.unrealize();
    }).catch(() => {});
    await this.backends[Symbol.asyncDispose]();
    await this.graph[Symbol.asyncDispose]();
    await this.accelerator[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    if (this.#runState === "running") return;
    if (this.#runState === "shutdown" || this.#runState === "internal-error") {
      throw new MachineError("Resetting the Virtual Machine is required");
    }
    await activateAll(this.graph);
    for (const backend of this.backends.list()) backend.resetIoStatus();
    this.complete();
    await this.accelerator.run();
    this.#setState("running");
    this.events.emit("RESUME", {});
    for (const device of this.devices) device.resume();
  }

  async #halt(state: RunState): Promise<void> {
    if (this.#runState !== "running") return await this.#rest();
    await this.accelerator.stop();
    await this.#rest();
    this.#setState(state);
    this.events.emit("STOP", {});
    await this.#flush();
  }

  /** Resolves when nothing is in flight. */
  async #rest(): Promise<void> {
    for (const device of this.devices) await device.stop();
    for (const backend of this.backends.list()) await backend.drain();
  }

  /** What a stopped machine wrote is durable; a drive that cannot says so at its next flush. */
  async #flush(): Promise<void> {
    for (const backend of this.backends.list()) {
      if (backend.isInserted && !backend.readOnly) await backend.flush({ account: false }).catch(() => {});
    }
  }

  async #reset(cause: ShutdownCause): Promise<void> {
    const running = this.isRunning;
    if (running) await this.accelerator.stop();
    await this.#resetAll();
    if (this.#orderAfterReset !== undefined) this.built.setBootOrder(this.#orderAfterReset);
    this.#orderAfterReset = undefined;
    this.events.emit("RESET", { guest: cause.startsWith("guest"), reason: cause });
    if (running) await this.accelerator.run();
    else this.#setState("prelaunch");
  }

  /** Children before what they are plugged into, as a reset goes down a tree of buses. */
  async #resetAll(): Promise<void> {
    for (const device of this.systemBus.walk()) await device.reset();
    for (const device of this.#built?.loose ?? []) await device.reset();
    this.accelerator.reset();
  }

  #setState(now: RunState): void {
    const before = this.#runState;
    if (before === now) return;
    this.#runState = now;
    this.events.emit("run-state", { before, now });
  }

  #cpuFailed(error: Error): void {
    this.context.warn(error.message);
    this.#later(() => this.#halt("internal-error"));
  }

  #guestReset(): void {
    this.accelerator.kick();
    if (this.#noReboot) this.announceShutdown("guest-reset");
    else this.#later(() => this.#reset("guest-reset"));
  }

  #guestShutdown(): void {
    this.accelerator.kick();
    this.#later(async () => {
      await this.#halt("shutdown");
      this.announceShutdown("guest-shutdown");
    });
  }

  #backendFailed(event: MachineEvents["BLOCK_IO_ERROR"]): void {
    this.events.emit("BLOCK_IO_ERROR", event);
    if (event.action === "stop") this.#later(() => this.#halt("io-error"));
  }

  /** A change that a device asked for: it happens after the device's own work. */
  #later(work: () => Promise<void>): void {
    this.exclusive(async () => {
      if (!this.#disposed) await work();
    }).catch((error) => this.context.warn(String(error)));
  }

  #note(request: DeviceRequest): void {
    this.requests.push(request);
    if (this.events.has("request")) this.events.emit("request", request);
  }
}

function allocateRam(accelerator: Accelerator, sizeBytes: number): GuestRam {
  const { maxRamBytes, longMode } = accelerator.can;
  if (sizeBytes > maxRamBytes && !longMode) {
    throw new MachineError(
      `cannot set up guest memory 'pc.ram': the CPU of -accel ${accelerator.name} has room for ${
        maxRamBytes / MiB
      } MiB; ` +
        `say -m ${maxRamBytes / MiB} or less, or -accel qtest for a machine without a CPU`,
    );
  }
  try {
    if (sizeBytes <= maxRamBytes) return accelerator.mapRam(sizeBytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new MachineError("cannot set up guest memory 'pc.ram': Cannot allocate memory");
}
