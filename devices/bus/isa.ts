/**
 * The ISA bus: 64 Ki ports, sixteen interrupt lines, eight DMA channels.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { Bus } from "./bus.ts";
import type { DeviceContext } from "./context.ts";
import { Device } from "./device.ts";
import { type IrqLine, SharedLine, UNCONNECTED } from "./irq.ts";
import type { MemoryRegion } from "./memory_region.ts";
import { PropertyError, type PropertyTable } from "./properties.ts";

const LINES = 16;

/** A DMA controller as the devices on the bus see it. */
export interface IsaDma {
  /** Raises or lowers a channel's request. */
  request(channel: number, level: 0 | 1): void;
  /** Has `moves` called when a channel that is requested may move data, because software has let it. */
  serve(channel: number, moves: () => void): void;
  /** Whether a channel would move data now. */
  isReady(channel: number): boolean;
  /** Bytes until a channel's terminal count. */
  remainingBytes(channel: number): number;
  /** Moves bytes between `buffer` and memory at the channel's position; returns how many. */
  transfer(channel: number, buffer: Uint8Array, direction: "to-memory" | "from-memory"): number;
}

/** The bus; PIIX3 provides it. */
export class IsaBus extends Bus {
  /** Where ports are claimed. */
  readonly ports: MemoryRegion;
  /** Where memory is claimed. */
  readonly memory: MemoryRegion;
  /** IRQ 0 to 15, connected by the board. */
  readonly irqs: IrqLine[] = Array.from({ length: LINES }, () => UNCONNECTED);
  /** Channels 0 to 3, then 4 to 7. */
  readonly dma: [IsaDma | undefined, IsaDma | undefined] = [undefined, undefined];

  readonly #shared: SharedLine[];

  constructor(context: DeviceContext, parent: Device, ports: MemoryRegion, memory: MemoryRegion, name = "isa.0") {
    super(context, "ISA", parent, name);
    this.ports = ports;
    this.memory = memory;
    this.#shared = Array.from({ length: LINES }, (_, number) => new SharedLine(this.irq(number)));
  }

  /** Interrupt line `number`, 0 to 15. */
  irq(number: number): IrqLine {
    assert(number >= 0 && number < LINES, `no ISA interrupt ${number}`);
    return { set: (level) => this.irqs[number]!.set(level) };
  }

  /** One end of interrupt line `number` for devices that have it in common: it is high while one of them drives it. */
  sharedIrq(number: number): IrqLine {
    return this.#shared[number]!.input();
  }
}

/** A device on the ISA bus. */
export abstract class IsaDevice<Table extends PropertyTable = PropertyTable, State extends object = object>
  extends Device<Table, State> {
  readonly #claimed: MemoryRegion[] = [];

  /** The bus it is plugged into. */
  get isa(): IsaBus {
    assert(this.bus instanceof IsaBus, `${this.type.name} is on no ISA bus`);
    return this.bus;
  }

  /** @throws {PropertyError} where there is no interrupt line of that number, which users choose */
  protected checkIrq(number: number): void {
    if (number < LINES) return;
    throw new PropertyError(`${this.type.name}: there is no ISA interrupt ${number} (0 to ${LINES - 1})`);
  }

  /** Shows `region` from port `port` on, until the device goes. */
  protected claimPorts(region: MemoryRegion, port: number, priority = 0): void {
    this.isa.ports.add(region, port, priority);
    this.#claimed.push(region);
  }

  protected override onUnrealize(): void {
    for (const region of this.#claimed.splice(0)) region.container?.remove(region);
  }
}
