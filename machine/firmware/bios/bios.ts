/**
 * The built-in firmware: a ROM that hands calls to the host, and the device behind its two ports that serves them.
 *
 * So a machine starts where no SeaBIOS is installed. It is small.
 *
 * A call in flight when the machine stops has been served by then, and is given back when the guest asks again; a call
 * that sleeps is kept by its registers alone.
 *
 * @module
 */
import { AssertionFailure } from "../../../base/assert.ts";
import {
  type DeviceContext,
  type DeviceType,
  IsaDevice,
  MemoryRegion,
  type NoState,
} from "../../../devices/bus/mod.ts";
import { BootService } from "./boot.ts";
import { BootMenu } from "./boot_menu.ts";
import { BootOrder } from "./boot_order.ts";
import { FirmwareCall, FRAME_ADDRESS, FRAME_BYTES } from "./call.ts";
import { DiskService } from "./disk.ts";
import { KeyboardService } from "./keyboard.ts";
import { MouseService } from "./mouse.ts";
import { OptionRoms } from "./option_roms.ts";
import { PciService } from "./pci.ts";
import { type ApmEntries, assembleBios, type BiosRom, CALL_PORT, OWN_SERVICE } from "./rom.ts";
import { PowerService } from "./power.ts";
import type { FirmwareSite, Service } from "./site.ts";
import { placeSmbios } from "./smbios.ts";
import { SystemService } from "./system.ts";
import { loadTables } from "./table_loader.ts";
import { TableMemory } from "./table_memory.ts";
import { VesaService } from "./vesa.ts";
import { VideoService } from "./video.ts";

const PROPERTIES = {};
const ANSWER = { done: 0, busy: 1, again: 1, sleep: 2 } as const;
/** Calls within calls: more than interrupts can nest. A guest that makes more gets no service. */
const MAX_CALLS = 64;
const NO_NUMBER = 0xff;

/** One call under way. */
interface PendingCall {
  readonly call: FirmwareCall;
  state: "busy" | "sleep" | "again" | "done";
}

/** Calls by their numbers; those that wait for the disk are not among them, since the machine stands still. */
export interface BuiltInBiosState {
  readonly calls: readonly ({ readonly bytes: Uint8Array; readonly memo: number; readonly done: boolean } | null)[];
  readonly asked: number;
}

/** What the board tells the firmware. */
export type BiosSite = Omit<
  FirmwareSite,
  "memory" | "ports" | "clock" | "machineTable" | "bootRom" | "giveUp" | "stand"
>;

/** The device; {@link BuiltInBios.image} is the ROM to be placed at the end of the first MiB and of the first 4 GiB. */
export class BuiltInBios extends IsaDevice<typeof PROPERTIES, BuiltInBiosState | NoState> {
  readonly #rom: BiosRom;
  readonly #services: ReadonlyMap<number, Service>;
  readonly #calls: (PendingCall | undefined)[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #asked = NO_NUMBER;

  constructor(context: DeviceContext, site: BiosSite) {
    super(builtInBios, context, {}, {});
    this.#rom = assembleBios();
    this.#services = servicesOf({
      ...site,
      memory: context.memory,
      ports: context.ports,
      clock: context.clocks.virtual,
      machineTable: this.#rom.machineTable,
      bootRom: this.#rom.bootRom,
      giveUp: this.#rom.giveUp,
      stand: this.#rom.stand,
    }, this.#rom.apm);
  }

  /** The ROM, 64 KiB. */
  get image(): Uint8Array {
    return this.#rom.image;
  }

  protected override onRealize(): void {
    const region = MemoryRegion.io("moa-bios", 2, {
      read: (offset) => offset === 0 ? this.#asked : this.#answer(this.#asked),
      write: (offset, _size, value) => {
        if (offset === 0) this.#asked = this.#begin();
        else this.#asked = value;
      },
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(region, CALL_PORT);
  }

  protected override async onReset(): Promise<void> {
    await this.onStop();
    this.#calls.length = 0;
    this.#asked = NO_NUMBER;
  }

  protected override async onStop(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  protected override readonly occasionalState = {
    calls: [{ bytes: new Uint8Array(FRAME_BYTES), memo: 0, done: false }, null],
  };

  protected override saveState(): BuiltInBiosState {
    const calls = this.#calls.map((pending) =>
      pending === undefined
        ? null
        : { bytes: pending.call.bytes.slice(), memo: pending.call.memo, done: pending.state === "done" }
    );
    return { calls, asked: this.#asked };
  }

  protected override loadState(state: BuiltInBiosState): void {
    this.#calls.length = 0;
    for (const saved of state.calls) {
      if (saved === null) {
        this.#calls.push(undefined);
        continue;
      }
      const call = new FirmwareCall(saved.bytes.slice());
      call.memo = saved.memo;
      this.#calls.push({ call, state: saved.done ? "done" : "sleep" });
    }
    this.#asked = state.asked;
  }

  /** Takes the registers from memory and starts serving; the number under which the guest asks for the end. */
  #begin(): number {
    const free = this.#calls.indexOf(undefined);
    const number = free < 0 ? this.#calls.length : free;
    if (number >= MAX_CALLS) return NO_NUMBER;
    const bytes = new Uint8Array(FRAME_BYTES);
    this.context.memory.read(FRAME_ADDRESS, bytes);
    const pending: PendingCall = { call: new FirmwareCall(bytes), state: "sleep" };
    this.#calls[number] = pending;
    this.#serve(pending);
    return number;
  }

  #serve(pending: PendingCall): void {
    const service = this.#services.get(pending.call.number);
    const result = service?.(pending.call);
    if (result === "sleep" || result === "again") {
      pending.state = result;
      return;
    }
    if (result === undefined) {
      pending.state = "done";
      return;
    }
    pending.state = "busy";
    const work = result.finally(() => {
      pending.state = "done";
      this.#inFlight.delete(work);
    });
    this.#inFlight.add(work);
  }

  /** What has become of call `number`; where it is done its registers are put back. */
  #answer(number: number): number {
    const pending = this.#calls[number];
    if (pending === undefined) return ANSWER.done;
    if (pending.state === "sleep" || pending.state === "again") this.#serve(pending);
    if (pending.state !== "done") return ANSWER[pending.state];
    this.context.memory.write(FRAME_ADDRESS, pending.call.bytes);
    this.#calls[number] = undefined;
    return ANSWER.done;
  }
}

/** The services by the numbers that the ROM pushes. */
function servicesOf(board: FirmwareSite, apm: ApmEntries): ReadonlyMap<number, Service> {
  const order = new BootOrder(board);
  const site = { ...board, disks: () => order.disks() };
  const video = new VideoService(site);
  const disks = new DiskService(site);
  const keyboard = new KeyboardService(site);
  const room = new TableMemory(site.memory, site.lowRamBytes, { hasKernel: site.kernel !== undefined });
  const system = new SystemService(site, room);
  const pci = new PciService(site);
  const mouse = new MouseService(site);
  const power = new PowerService(site, apm);
  const vesa = new VesaService(site, video, pci);
  const roms = new OptionRoms(site, pci, video);
  order.roms = () => roms.bootable();
  const boot = new BootService(site, order, disks, video);
  const menu = new BootMenu(site, order, keyboard, video);
  const powerOn: Service = () => {
    system.powerOn();
    pci.powerOn();
    keyboard.powerOn();
    video.setMode(3);
    video.print("moa's built-in firmware\r\n\r\n");
    pci.withOpenSegment(() => {
      room.clear();
      const problem = loadTables(site.files, room, site.memory);
      placeSmbios(site.files, room, site.memory);
      pci.placeTables(room);
      if (problem !== undefined) video.print(`No ACPI tables: ${problem}\r\n\r\n`);
    });
  };
  return new Map<number, Service>([
    [0x10, (call) => call.ah === 0x4f ? vesa.call(call) : video.call(call)],
    [0x11, (call) => system.equipment(call)],
    [0x12, (call) => system.memorySize(call)],
    [0x13, (call) => disks.call(call)],
    [0x14, (call) => system.serial(call)],
    [0x15, (call) => call.ah === 0xc2 ? mouse.call(call) : call.ah === 0x53 ? power.call(call) : system.system(call)],
    [0x16, (call) => keyboard.call(call)],
    [0x17, (call) => system.printer(call)],
    [0x18, (call) => boot.next(call)],
    [0x19, (call) => boot.start(call)],
    [0x1a, (call) => call.ah === 0xb1 ? pci.call(call) : system.time(call)],
    [0x40, (call) => disks.call(call)],
    [OWN_SERVICE.powerOn, powerOn],
    [OWN_SERVICE.optionRom, (call) => roms.next(call)],
    [OWN_SERVICE.bootMenu, (call) => menu.ask(call)],
    [OWN_SERVICE.key, (call) => keyboard.scanCode(call)],
  ]);
}

/** `moa-bios`: made by the board only, which knows what it is to serve. */
export const builtInBios: DeviceType<typeof PROPERTIES> = {
  name: "moa-bios",
  busType: "ISA",
  category: "Misc",
  userCreatable: false,
  properties: PROPERTIES,
  create: () => {
    throw new AssertionFailure("the built-in firmware is made by its board");
  },
};
