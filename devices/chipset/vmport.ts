/**
 * The VMware backdoor at port 5658: a 32-bit read with a magic number in EAX is a call, its command in ECX.
 *
 * It works on CPU registers, so it needs a CPU; without one it answers as an empty port does.
 *
 * Source: open-vm-tools' "backdoor_def.h", which lists commands and registers.
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  IsaDevice,
  MemoryRegion,
  prop,
  type PropertyValues,
} from "../bus/mod.ts";

const PROPERTIES = {
  "x-read-set-eax": prop.bool(true, { description: "on/off" }),
  "x-signal-unsupported-cmd": prop.bool(true, { description: "on/off" }),
  "x-report-vmx-type": prop.bool(true, { description: "on/off" }),
  "x-cmds-v2": prop.bool(true, { description: "on/off" }),
  "vmware-vmx-version": prop.uint32(6),
  "vmware-vmx-type": prop.uint8(2),
};

const PORT = 0x5658;
const MAGIC = 0x564d_5868;
const NOTHING = 0xffff_ffff;

const COMMAND_VERSION = 0x0a;
const COMMAND_RAM_SIZE = 0x14;

/** The registers of the CPU that does the access. */
export interface VmportRegisters {
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
  esi: number;
  edi: number;
}

/** One command: gets the registers, which it may change, and returns the new EAX. */
export type VmportCommand = (registers: VmportRegisters) => number;

/** The port. */
export class Vmport extends IsaDevice<typeof PROPERTIES> {
  /** The registers of the CPU, live; the board sets it where there is one. */
  registers: (() => VmportRegisters) | undefined;
  readonly #commands = new Map<number, VmportCommand>();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(vmport, context, values, options);
    this.register(COMMAND_VERSION, (registers) => {
      registers.ebx = MAGIC;
      if (this.properties["x-report-vmx-type"]) registers.ecx = this.properties["vmware-vmx-type"];
      return this.properties["vmware-vmx-version"];
    });
    this.register(COMMAND_RAM_SIZE, (registers) => {
      registers.ebx = 0x1177;
      return Math.min(this.context.ram.sizeBytes, NOTHING);
    });
  }

  /** Answers `command` from now on. */
  register(command: number, answer: VmportCommand): void {
    this.#commands.set(command, answer);
  }

  protected override onRealize(): void {
    const region = MemoryRegion.io("vmport", 1, {
      read: () => this.#call(),
      write: () => void this.#call(),
      accessSizes: { min: 4, max: 4 },
    });
    this.claimPorts(region, PORT);
  }

  #call(): number {
    const registers = this.registers?.();
    if (registers === undefined || registers.eax >>> 0 !== MAGIC) return NOTHING;
    const command = this.#commands.get(registers.ecx & 0xffff);
    const answer = command === undefined
      ? (this.properties["x-signal-unsupported-cmd"] ? NOTHING : registers.eax)
      : command(registers);
    if (this.properties["x-read-set-eax"]) registers.eax = answer >>> 0;
    return answer >>> 0;
  }
}

/** `vmport`. */
export const vmport = {
  name: "vmport",
  busType: "ISA",
  category: "Uncategorized",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new Vmport(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
