/**
 * The ports at 7e by which an option ROM tells QEMU of a guest's task priority accesses. Only KVM makes use of them, so
 * here they are what they are under QEMU's own translator: there, and silent.
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  MemoryRegion,
  type PropertyValues,
  SystemBusDevice,
} from "../bus/mod.ts";

const PROPERTIES = {};
const PORT = 0x7e;

/** The ports. */
export class KvmVapic extends SystemBusDevice<typeof PROPERTIES> {
  readonly #region = MemoryRegion.io("kvmvapic", 2, { read: () => 0xffff_ffff, write() {} });

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(kvmvapic, context, values, options);
  }

  protected override onRealize(): void {
    this.context.ports.root.add(this.#region, PORT);
  }

  protected override onUnrealize(): void {
    this.context.ports.root.remove(this.#region);
  }
}

/** `kvmvapic`. */
export const kvmvapic = {
  name: "kvmvapic",
  busType: "System",
  category: "Uncategorized",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new KvmVapic(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
