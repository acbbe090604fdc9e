/**
 * Addresses: from linear to physical by the guest's page tables, what these map, and where memory lies in this process.
 *
 * @module
 */
import { addressOf } from "../../base/host/pointers.ts";
import type { PageMapping } from "../../machine/mod.ts";
import { MonitorError } from "../errors.ts";
import { type MappedRange, mappedRanges, memText, tlbText } from "../format/pages.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

const PAGING_DISABLED = "PG disabled\n";

export const physicalAddress = command({
  name: "gva2gpa",
  summary: "The physical address that a linear one means now; null where it means none.",
  arguments: { addr: arg.int64() },
  run({ machine }, { addr }): number | null {
    const linear = BigInt.asUintN(64, addr);
    const { cpu } = machine.accelerator;
    return cpu === undefined ? Number(linear) : cpu.translate(linear) ?? null;
  },
  hmp: {
    names: "gva2gpa",
    parameters: "addr",
    help: "print the guest physical address corresponding to a guest virtual address",
    print: (output, physical) => output.print(physical === null ? "Unmapped\n" : `gpa: 0x${physical.toString(16)}\n`),
  },
});

/** Where a byte of RAM lies in this process. */
export interface HostAddress {
  readonly address: bigint;
  readonly region: string;
  readonly hostAddress: number;
}

export const hostAddress = command({
  name: "gpa2hva",
  summary: "Where a byte of RAM lies in this process; it stays there while the machine lives.",
  arguments: { addr: arg.int64() },
  run({ machine }, { addr }): HostAddress {
    const address = BigInt.asUintN(64, addr);
    const range = address <= BigInt(Number.MAX_SAFE_INTEGER) ? machine.memory.find(Number(address)) : undefined;
    if (range === undefined) throw new MonitorError(`No memory is mapped at address 0x${address.toString(16)}`);
    const bytes = machine.memory.ramAt(Number(address), 1, false);
    if (bytes === undefined) throw new MonitorError(`Memory at address 0x${address.toString(16)} is not RAM`);
    try {
      return { address, region: range.region.name, hostAddress: addressOf(bytes) };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotCapable)) throw error;
      throw new MonitorError("where memory lies in this process is told with --allow-ffi only");
    }
  },
  hmp: {
    names: "gpa2hva",
    parameters: "addr",
    help: "print the host virtual address corresponding to a guest physical address",
    errorPrefix: "",
    print: (output, { address, region, hostAddress }) =>
      output.print(
        `Host virtual address for 0x${address.toString(16)} (${region}) is 0x${hostAddress.toString(16)}\n`,
      ),
  },
});

export const infoTlb = command({
  name: "query-tlb",
  summary: "What the guest's page tables map, page by page; null without paging.",
  arguments: {},
  run: ({ machine }): readonly PageMapping[] | null => machine.accelerator.cpu?.mappings() ?? null,
  hmp: {
    names: "tlb",
    group: "info",
    parameters: "",
    help: "show virtual to physical memory mappings",
    print: (output, pages) => {
      if (pages === null) output.print(PAGING_DISABLED);
      else for (const page of pages) output.print(tlbText(page));
    },
  },
});

export const infoMem = command({
  name: "query-mem",
  summary: "What the guest's page tables map, as ranges that may be used alike; null without paging.",
  arguments: {},
  run({ machine }): readonly MappedRange[] | null {
    const pages = machine.accelerator.cpu?.mappings();
    return pages === undefined ? null : mappedRanges(pages);
  },
  hmp: {
    names: "mem",
    group: "info",
    parameters: "",
    help: "show the active virtual memory mappings",
    print: (output, ranges) => {
      if (ranges === null) output.print(PAGING_DISABLED);
      else for (const range of ranges) output.print(memText(range));
    },
  },
});
