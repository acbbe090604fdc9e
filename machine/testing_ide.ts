/**
 * An IDE function that is only there: for tests of the board without drives.
 *
 * @module
 */
import {
  Bus,
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  MemoryRegion,
  PCI_PROPERTIES,
  PciDevice,
  type PropertyValues,
} from "../devices/bus/mod.ts";

type Values = Partial<PropertyValues<typeof PCI_PROPERTIES>>;

const NOTHING = { read: () => 0, write() {} };
const BLOCKS = [[0x1f0, 8], [0x3f6, 1], [0x170, 8], [0x376, 1]] as const;

class IdeStandIn extends PciDevice {
  constructor(context: DeviceContext, values: Values = {}, options: DeviceOptions = {}) {
    const identity = { vendor: 0x8086, device: 0x7010, classCode: 0x0101, programmingInterface: 0x80 };
    super(ideStandIn, context, identity, values, options);
    this.addBar(4, "io", MemoryRegion.io("piix-bmdma-container", 16, NOTHING));
    new Bus(context, "IDE", this);
    new Bus(context, "IDE", this);
  }

  protected override onRealize(): void {
    for (const [port, count] of BLOCKS) this.context.ports.root.add(MemoryRegion.io("ide", count, NOTHING), port);
  }
}

/** `piix3-ide`, by name. */
export const ideStandIn: DeviceType<typeof PCI_PROPERTIES> = {
  name: "piix3-ide",
  busType: "PCI",
  category: "Storage",
  userCreatable: true,
  properties: PCI_PROPERTIES,
  create: (context, values, options) => new IdeStandIn(context, values, options),
};
