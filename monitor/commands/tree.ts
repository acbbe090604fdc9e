/**
 * The machine's structure: `info pci`, `info qtree`, `info mtree`, `info roms`.
 *
 * @module
 */
import {
  type Mtree,
  mtree,
  type MtreeSection,
  type PciFunctionInfo,
  pciFunctions,
  qtree,
  type QtreeBus,
  type QtreeDevice,
  type QtreePci,
  type RomInfo,
  roms,
} from "../../machine/mod.ts";
import { MonitorError } from "../errors.ts";
import { type FlatView, flatViews, flatViewText } from "../format/flat_views.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

function hex(value: number | bigint, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

const NOWHERE = 0xffff_ffff_ffff_ffffn;

/** Where a BAR is seen, and its last address; one that is not seen is at -1. */
function barRange(bar: { readonly address: number | undefined; readonly sizeBytes: number }) {
  const start = bar.address === undefined ? NOWHERE : BigInt(bar.address);
  return { start, last: BigInt.asUintN(64, start + BigInt(bar.sizeBytes) - 1n) };
}

export const infoPci = command({
  name: "query-pci",
  summary: "The functions of the PCI bus.",
  arguments: {},
  run: ({ machine }): PciFunctionInfo[] => pciFunctions(machine),
  hmp: {
    names: "pci",
    group: "info",
    parameters: "",
    help: "show PCI info",
    print: (output, functions) => {
      for (const one of functions) output.print(pciText(one));
    },
  },
});

function pciText(info: PciFunctionInfo): string {
  let out =
    `  Bus ${String(info.bus).padStart(2)}, device ${String(info.slot).padStart(3)}, function ${info.function}:\n` +
    `    ${info.className}: PCI device ${hex(info.vendor, 4)}:${hex(info.device, 4)}\n` +
    `      PCI subsystem ${hex(info.subsystemVendor, 4)}:${hex(info.subsystem, 4)}\n`;
  if (info.interrupt !== undefined) {
    out += `      IRQ ${info.interrupt.line}, pin ${String.fromCharCode(0x40 + info.interrupt.pin)}\n`;
  }
  for (const bar of info.bars) {
    const { start, last } = barRange(bar);
    out += bar.kind === "io"
      ? `      BAR${bar.index}: I/O at 0x${hex(start, 4)} [0x${hex(last, 4)}].\n`
      : `      BAR${bar.index}: ${bar.is64Bit ? 64 : 32} bit${bar.prefetchable ? " prefetchable" : ""} memory at 0x${
        hex(start, 8)
      } [0x${hex(last, 8)}].\n`;
  }
  return `${out}      id "${info.id}"\n`;
}

export const infoQtree = command({
  name: "query-qtree",
  summary: "The tree of buses and devices with their properties.",
  arguments: {},
  run: ({ machine }): QtreeBus => qtree(machine),
  hmp: {
    names: "qtree",
    group: "info",
    parameters: "",
    help: "show device tree",
    print: (output, bus) => output.print(busText(bus, 0)),
  },
});

function busText(bus: QtreeBus, depth: number): string {
  const indent = " ".repeat(depth);
  return `${indent}bus: ${bus.name}\n${indent}  type ${bus.typeName}\n` +
    bus.devices.map((device) => deviceText(device, depth + 2)).join("");
}

function deviceText(device: QtreeDevice, depth: number): string {
  const indent = " ".repeat(depth + 2);
  const line = (text: string) => `${indent}${text}\n`;
  let out = `${" ".repeat(depth)}dev: ${device.typeName}, id "${device.id}"\n`;
  for (const { direction, name, count } of device.pins) out += line(`gpio-${direction} "${name}" ${count}`);
  for (const { name, text } of device.properties) out += line(`${name} = ${text}`);
  if (device.pci !== undefined) out += pciLines(device.pci).map(line).join("");
  for (const { address, sizeBytes } of device.windows) out += line(`mmio ${hex(address, 16)}/${hex(sizeBytes, 16)}`);
  return out + device.buses.map((bus) => busText(bus, depth + 2)).join("");
}

function pciLines(pci: QtreePci): string[] {
  const place = `${hex(pci.bus, 2)}:${hex(pci.slot, 2)}.${pci.function.toString(16)}`;
  return [
    `class ${pci.className}, addr ${place}, pci id ${hex(pci.vendor, 4)}:${hex(pci.device, 4)} ` +
    `(sub ${hex(pci.subsystemVendor, 4)}:${hex(pci.subsystem, 4)})`,
    ...pci.bars.map((bar) => {
      const { start, last } = barRange(bar);
      return `bar ${bar.index}: ${bar.kind === "io" ? "i/o" : "mem"} at 0x${hex(start, 1)} [0x${hex(last, 1)}]`;
    }),
  ];
}

export const infoMtree = command({
  name: "query-mtree",
  summary: "Address spaces and the memory regions that they show.",
  arguments: { flat: arg.flag("f"), dispatch: arg.flag("d"), owners: arg.flag("o"), disabled: arg.flag("D") },
  run({ machine }, { flat = false, owners, disabled = false, dispatch }): Mtree | readonly FlatView[] {
    const refused = owners ? "-o" : flat && dispatch ? "-d" : undefined;
    if (refused !== undefined) throw new MonitorError(`info mtree ${refused} is not available`);
    return flat ? flatViews(machine) : mtree(machine, { disabled });
  },
  hmp: {
    names: "mtree",
    group: "info",
    parameters: "[-f][-d][-o][-D]",
    help: "show memory tree (-f: dump flat view for address spaces;-d: dump dispatch tree, valid with -f only);" +
      "-o: dump region owners/parents;-D: dump disabled regions",
    print: (output, tree) => {
      if (!("regions" in tree)) {
        tree.forEach((view, index) => output.print(flatViewText(view, index)));
        return;
      }
      for (const section of tree.addressSpaces) output.print(sectionText("address-space", section));
      for (const section of tree.regions) output.print(sectionText("memory-region", section));
    },
  },
});

function sectionText(kind: string, { names, rows }: MtreeSection): string {
  let out = names.map((name) => `${kind}: ${name}\n`).join("");
  for (const { depth, start, last, priority, kind: content, name, alias, enabled } of rows) {
    const what = alias === undefined
      ? name
      : `alias ${name} @${alias.name} ${hex(alias.start, 16)}-${hex(alias.last, 16)}`;
    out += `${" ".repeat(2 * depth + 2)}${hex(start, 16)}-${hex(last, 16)} (prio ${priority}, ${content}): ${what}${
      enabled ? "" : " [disabled]"
    }\n`;
  }
  return `${out}\n`;
}

export const infoRoms = command({
  name: "query-roms",
  summary: "Images that are not on disks: firmware, option ROMs, tables for firmware.",
  arguments: {},
  run: ({ machine }): readonly RomInfo[] => roms(machine),
  hmp: {
    names: "roms",
    group: "info",
    parameters: "",
    help: "show roms",
    print: (output, list) => {
      for (const rom of list) output.print(romText(rom));
    },
  },
});

function romText(rom: RomInfo): string {
  const what = `size=0x${hex(rom.sizeBytes, 6)}`;
  const name = `name="${rom.name}"\n`;
  switch (rom.place) {
    case "memory":
      return `addr=${hex(rom.address, 16)} ${what} mem=${rom.content} ${name}`;
    case "fw_cfg":
      return `fw=${rom.file} ${what} ${name}`;
    case "region":
      return `${rom.region} ${what} ${name}`;
  }
}
