/**
 * A console of one port: each byte written goes to a character device, and reading tells that it is there. SeaBIOS logs
 * on one at port 402.
 *
 * Source: QEMU's documentation of `-debugcon`; values as 7.2 has them.
 *
 * @module
 */
import {
  type CharConnection,
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
import { outputOnly } from "./output_only.ts";

const PROPERTIES = {
  "iobase": prop.uint32(0xe9),
  "chardev": prop.chardev(),
  "readback": prop.uint32(0xe9),
};

/** The console. */
export class IsaDebugcon extends IsaDevice<typeof PROPERTIES, NoState> {
  #line: CharConnection | undefined;
  #output: number[] = [];
  #isSending = false;

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(isaDebugcon, context, values, options);
  }

  protected override onRealize(): void {
    const { chardev, iobase, readback } = this.properties;
    if (chardev === undefined) throw new PropertyError("Can't create debugcon device, empty char device");
    this.#line = outputOnly(chardev);
    const region = MemoryRegion.io("isa-debugcon", 1, {
      // Of a wide access the first byte alone is the port's.
      read: (offset) => offset === 0 ? readback & 0xff : 0xff,
      write: (offset, _size, value) => {
        if (offset === 0) this.#put(value & 0xff);
      },
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(region, iobase);
  }

  protected override onUnrealize(): void {
    super.onUnrealize();
    this.#flush();
    this.#line?.[Symbol.dispose]();
    this.#line = undefined;
  }

  /** What is written in one turn of the program goes out together; what nobody takes is lost, as nothing can wait. */
  #put(byte: number): void {
    this.#output.push(byte);
    if (this.#isSending) return;
    this.#isSending = true;
    queueMicrotask(() => {
      this.#isSending = false;
      this.#flush();
    });
  }

  #flush(): void {
    const bytes = Uint8Array.from(this.#output);
    this.#output = [];
    if (bytes.length > 0) this.#line?.write(bytes);
  }
}

/** `isa-debugcon`. */
export const isaDebugcon = {
  name: "isa-debugcon",
  busType: "ISA",
  category: "Misc",
  userCreatable: true,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new IsaDebugcon(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
