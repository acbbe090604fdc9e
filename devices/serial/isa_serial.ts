/**
 * A serial port on the ISA bus: COM1 to COM4 at their usual ports and interrupts, or where the user puts it.
 *
 * Two ports may share an interrupt, as COM1 and COM3 do.
 *
 * Source: [PC16550D]; the ports are the PC's.
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  IsaDevice,
  MemoryRegion,
  type NoState,
  prop,
  PropertyError,
  type PropertyValues,
} from "../bus/mod.ts";
import { serial, type Uart16550, UART_PROPERTIES } from "./uart16550.ts";

/** What a number is before the port settles it. */
const UNSET = 0xffff_ffff;

const PROPERTIES = {
  "index": prop.uint32(UNSET),
  "iobase": prop.uint32(UNSET),
  "irq": prop.uint32(UNSET),
  ...UART_PROPERTIES,
};

const PORTS = [0x3f8, 0x2f8, 0x3e8, 0x2e8] as const;
const IRQS = [4, 3, 4, 3] as const;

/** The port. */
export class IsaSerial extends IsaDevice<typeof PROPERTIES, NoState> {
  readonly uart: Uart16550;

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(isaSerial, context, values, options);
    const { baudbase, chardev, wakeup } = this.properties;
    this.uart = serial.create(context, { baudbase, chardev, wakeup });
  }

  protected override async onRealize(): Promise<void> {
    const settled = this.properties as { index: number; iobase: number; irq: number };
    if (settled.index === UNSET) {
      settled.index = this.isa.devices.filter((device) => device !== this && device instanceof IsaSerial).length;
    }
    const { index } = settled;
    if (index >= PORTS.length) throw new PropertyError(`Max. supported number of ISA serial ports is ${PORTS.length}.`);
    if (settled.iobase === UNSET) settled.iobase = PORTS[index]!;
    if (settled.irq === UNSET) settled.irq = IRQS[index]!;
    this.checkIrq(settled.irq);
    this.uart.place(this.node, "serial");
    await this.uart.realize();
    this.uart.interrupt = this.isa.sharedIrq(settled.irq);
    const region = MemoryRegion.io("serial", 8, {
      read: (offset) => this.uart.read(offset),
      write: (offset, _size, value) => this.uart.write(offset, value & 0xff),
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(region, settled.iobase);
  }

  protected override async onUnrealize(): Promise<void> {
    await this.uart.unrealize();
    super.onUnrealize();
  }

  protected override onReset(): Promise<void> {
    return this.uart.reset();
  }
}

/** `isa-serial`. */
export const isaSerial = {
  name: "isa-serial",
  busType: "ISA",
  category: "Input",
  userCreatable: true,
  properties: PROPERTIES,
  helpOnly: { serial: "child<serial>" },
  create: (context, values = {}, options = {}) => new IsaSerial(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
