/**
 * A bare machine for tests of single devices: memory, ports, a system bus, and buses that no chip provides.
 *
 * @module
 */
import { ManualClock } from "../../base/clocks.ts";
import { SeededRandom } from "../../base/random.ts";
import { TraceEvents } from "../../base/trace.ts";
import { MiB } from "../../base/units.ts";
import { AddressSpace, portRegion, PortSpace } from "./address_space.ts";
import type { DeviceContext, DeviceRequest } from "./context.ts";
import { Device } from "./device.ts";
import type { DeviceType } from "./device_types.ts";
import { IsaBus } from "./isa.ts";
import { ALL_ADDRESSES, MemoryRegion } from "./memory_region.ts";
import { ObjectTree } from "./object_tree.ts";
import { PciBus } from "./pci/pci_bus.ts";
import { PlainRam } from "./ram.ts";
import { SystemBus } from "./system_bus.ts";

/** What {@link testMachine} makes. */
export interface TestMachine extends DeviceContext {
  readonly clock: ManualClock;
  readonly systemMemory: MemoryRegion;
  readonly systemBus: SystemBus;
  readonly isa: IsaBus;
  readonly pci: PciBus;
  /** Levels of ISA interrupts 0 to 15 as they are now. */
  readonly irqLevels: (0 | 1)[];
  /** Levels of the four PCI interrupt wires (pin plus slot, modulo 4). */
  readonly wireLevels: (0 | 1)[];
  readonly warnings: string[];
  readonly requests: DeviceRequest[];
  /** Reads 1, 2 or 4 bytes from a port. */
  in(port: number, size?: 1 | 2 | 4): number;
  out(port: number, value: number, size?: 1 | 2 | 4): void;
}

class Board extends Device {}

const BOARD: DeviceType = {
  name: "test-board",
  busType: undefined,
  category: "Misc",
  userCreatable: false,
  properties: {},
  create: (context) => new Board(BOARD, context),
};

/** A machine with `ramBytes` of RAM from address 0, all clocks manual, and nothing else. */
export function testMachine(options: { ramBytes?: number; seed?: number } = {}): TestMachine {
  const ramBytes = options.ramBytes ?? 16 * MiB;
  const systemMemory = MemoryRegion.container("system", ALL_ADDRESSES);
  systemMemory.add(MemoryRegion.ram("pc.ram", new PlainRam(ramBytes)), 0);
  const io = portRegion();
  const memory = new AddressSpace("memory", systemMemory);
  const ports = new PortSpace(io);
  const clock = new ManualClock();
  const warnings: string[] = [];
  const requests: DeviceRequest[] = [];
  const context: DeviceContext = {
    clocks: { virtual: clock, realtime: clock, host: clock },
    random: new SeededRandom(options.seed ?? 1),
    trace: new TraceEvents(),
    ram: memory,
    memory,
    ports,
    objects: new ObjectTree("test"),
    warn: (text) => void warnings.push(text),
    request: (request) => void requests.push(request),
  };
  const board = new Board(BOARD, context);
  board.place(context.objects.machine, "board");
  const isa = new IsaBus(context, board, io, systemMemory);
  const irqLevels = new Array<0 | 1>(16).fill(0);
  for (let irq = 0; irq < 16; irq++) isa.irqs[irq] = { set: (level) => irqLevels[irq] = level };
  const pci = new PciBus(context, board, { ports: io, memory: systemMemory, memoryOfBusMasters: systemMemory });
  const wireLevels = new Array<0 | 1>(4).fill(0);
  pci.route({ wireOf: (slot, pin) => (slot + pin) % 4, set: (wire, level) => wireLevels[wire] = level });
  return {
    ...context,
    clock,
    systemMemory,
    systemBus: new SystemBus(context),
    isa,
    pci,
    irqLevels,
    wireLevels,
    warnings,
    requests,
    in: (port, size = 1) => ports.readValue(port, size),
    out: (port, value, size = 1) => ports.writeValue(port, size, value),
  };
}
