/**
 * A serial port as a PCI function: the chip's eight registers are its BAR 0.
 *
 * Left out: functions with two and four ports.
 *
 * Source: QEMU's docs/specs/pci-serial.rst; [PC16550D].
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  MemoryRegion,
  type NoState,
  PCI_PROPERTIES,
  PciDevice,
  prop,
  type PropertyValues,
} from "../bus/mod.ts";
import { serial, type Uart16550, UART_PROPERTIES } from "./uart16550.ts";

/** A programming interface of 16550 compatible. */
const INTERFACE_16550 = 2;

const { chardev, ...CHIP } = UART_PROPERTIES;
const PROPERTIES = {
  "prog_if": prop.uint8(INTERFACE_16550),
  ...PCI_PROPERTIES,
  ...CHIP,
  "chardev": chardev,
};

/** The port. */
export class PciSerial extends PciDevice<typeof PROPERTIES, NoState> {
  readonly uart: Uart16550;

  constructor(
    context: DeviceContext,
    values: Partial<PropertyValues<typeof PROPERTIES>> = {},
    options: DeviceOptions = {},
  ) {
    super(
      pciSerial,
      context,
      {
        vendor: 0x1b36,
        device: 0x0002,
        revision: 1,
        classCode: 0x0700,
        programmingInterface: values.prog_if ?? INTERFACE_16550,
        interruptPin: 1,
      },
      values,
      options,
    );
    const { baudbase, chardev, wakeup } = this.properties;
    this.uart = serial.create(context, { baudbase, chardev, wakeup });
    const region = MemoryRegion.io("serial", 8, {
      read: (offset) => this.uart.read(offset),
      write: (offset, _size, value) => this.uart.write(offset, value & 0xff),
      accessSizes: { min: 1, max: 1 },
    });
    this.addBar(0, "io", region);
  }

  protected override async onRealize(): Promise<void> {
    this.uart.place(this.node, "serial");
    await this.uart.realize();
    this.uart.interrupt = this.interrupt;
  }

  protected override async onUnrealize(): Promise<void> {
    await this.uart.unrealize();
  }

  protected override onReset(): Promise<void> {
    return this.uart.reset();
  }
}

/** `pci-serial`. */
export const pciSerial = {
  name: "pci-serial",
  busType: "PCI",
  category: "Input",
  userCreatable: true,
  properties: PROPERTIES,
  helpOnly: { serial: "child<serial>" },
  create: (context, values = {}, options = {}) => new PciSerial(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
