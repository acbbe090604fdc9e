/**
 * Looking at memory and ports, and calculating: `x`, `xp`, `i`, `o`, `sum`, `print`.
 *
 * There is no disassembler: format `i` of `x` and `xp` is refused.
 *
 * @module
 */
import type { Machine } from "../../machine/mod.ts";
import { MonitorError } from "../errors.ts";
import { formatAddress, formatNumber, formatUnit, quotedCharacter, unitBytes } from "../format/memory.ts";
import { arg, type DataFormat } from "../schema/arguments.ts";
import { command, type HmpOutput } from "../schema/command.ts";

/** A piece of memory. */
export interface MemoryDump {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** Whether all of it was there; reading stops at the first line that is not. */
  readonly complete: boolean;
}

const PAGE_BYTES = 4096;
const MAX_DUMP_BYTES = 16 * 1024 * 1024;

/** Bytes in a line: eight single ones, else sixteen. */
function lineBytes(sizeBytes: number): number {
  return sizeBytes === 1 ? 8 : 16;
}

function dumpCommand(name: "x" | "xp", what: string) {
  return command({
    name,
    summary: `Shows ${what} memory.`,
    arguments: { format: arg.format(), address: arg.int64() },
    run({ machine }, { format, address }): MemoryDump {
      if (format.format === "i") throw new MonitorError("there is no disassembler here; try another format");
      const total = unitBytes(format) * format.count;
      if (total > MAX_DUMP_BYTES) throw new MonitorError(`cannot show more than ${MAX_DUMP_BYTES} bytes at once`);
      const bytes = new Uint8Array(total);
      const start = BigInt.asUintN(64, address);
      const step = lineBytes(unitBytes(format));
      for (let at = 0; at < total; at += step) {
        const line = bytes.subarray(at, Math.min(at + step, total));
        const here = start + BigInt(at);
        if (!readLine(machine, name === "x", here, line)) {
          return { address: start, bytes: bytes.subarray(0, at), complete: false };
        }
      }
      return { address: start, bytes, complete: true };
    },
    hmp: {
      names: name,
      parameters: "/fmt addr",
      help: `${what} memory dump starting at 'addr'`,
      print: (output, dump, { format }) => printDump(output, dump, format),
    },
  });
}

/** Reads a line of a dump; a linear address goes through the CPU's translation, page by page. */
function readLine(machine: Machine, isLinear: boolean, at: bigint, line: Uint8Array): boolean {
  const { cpu } = machine.accelerator;
  if (!isLinear || cpu === undefined) {
    return at + BigInt(line.length) <= BigInt(Number.MAX_SAFE_INTEGER) && machine.memory.read(Number(at), line);
  }
  for (let done = 0; done < line.length;) {
    const linear = at + BigInt(done);
    const length = Math.min(line.length - done, PAGE_BYTES - Number(linear % BigInt(PAGE_BYTES)));
    const physical = cpu.translate(linear);
    if (physical === undefined || !machine.memory.read(physical, line.subarray(done, done + length))) return false;
    done += length;
  }
  return true;
}

function printDump(output: HmpOutput, { address, bytes, complete }: MemoryDump, format: DataFormat): void {
  const size = unitBytes(format);
  const step = lineBytes(size);
  for (let at = 0; at < bytes.length; at += step) {
    const line = bytes.subarray(at, at + step);
    let out = `${formatAddress(address + BigInt(at))}:`;
    if (format.format === "c") { for (const byte of line) out += ` ${quotedCharacter(BigInt(byte))}`; }
    else for (let unit = 0; unit < line.length; unit += size) out += ` ${formatUnit(line, unit, size, format.format)}`;
    output.print(`${out}\n`);
  }
  if (!complete) output.print(`${formatAddress(address + BigInt(bytes.length))}: Cannot access memory\n`);
}

export const examine = dumpCommand("x", "virtual");
export const examinePhysical = dumpCommand("xp", "physical");

/** What was read from a port. */
export interface PortRead {
  readonly port: number;
  readonly sizeBytes: 1 | 2 | 4;
  readonly value: number;
}

/** Accesses of other sizes are of one byte, as at QEMU's prompt. */
function portSize(format: DataFormat): 1 | 2 | 4 {
  return format.sizeBytes === 2 || format.sizeBytes === 4 ? format.sizeBytes : 1;
}

export const portRead = command({
  name: "i",
  summary: "Reads a port; with .index, after writing that to it, the one behind it.",
  arguments: { format: arg.format(), port: arg.int32(), index: arg.introduced(".") },
  run({ machine }, { format, port, index }): PortRead {
    let address = Number(port) & 0xffff;
    if (index !== undefined) {
      machine.ports.writeValue(address, 1, Number(index & 0xffn));
      address = (address + 1) & 0xffff;
    }
    const sizeBytes = portSize(format);
    return { port: address, sizeBytes, value: machine.ports.readValue(address, sizeBytes) };
  },
  hmp: {
    names: "i",
    parameters: "/fmt addr",
    help: "I/O port read",
    print: (output, { port, sizeBytes, value }, { format }) => {
      const letter = sizeBytes === 1 ? "b" : sizeBytes === 2 ? "w" : "l";
      // A format without a size leaves a width of -2: C pads such a number on its right.
      const digits = format.sizeBytes < 0
        ? value.toString(16).padEnd(2)
        : value.toString(16).padStart(format.sizeBytes * 2, "0");
      output.print(`port${letter}[0x${port.toString(16).padStart(4, "0")}] = 0x${digits}\n`);
    },
  },
});

export const portWrite = command({
  name: "o",
  summary: "Writes to a port.",
  arguments: { format: arg.format(), port: arg.int32(), value: arg.int32() },
  run({ machine }, { format, port, value }): void {
    const sizeBytes = portSize(format);
    const mask = (1n << BigInt(8 * sizeBytes)) - 1n;
    machine.ports.writeValue(Number(port) & 0xffff, sizeBytes, Number(value & mask));
  },
  hmp: { names: "o", parameters: "/fmt addr value", help: "I/O port write" },
});

const SUM_CHUNK_BYTES = 1024 * 1024;

export const sum = command({
  name: "sum",
  summary: "The BSD checksum of a piece of memory.",
  arguments: { start: arg.int32(), size: arg.int32() },
  async run({ machine }, { start, size }): Promise<number> {
    let checksum = 0;
    const end = Number(start) + Number(size);
    const chunk = new Uint8Array(Math.min(SUM_CHUNK_BYTES, Number(size)));
    for (let at = Number(start); at < end; at += chunk.length) {
      const piece = chunk.subarray(0, Math.min(chunk.length, end - at));
      machine.memory.read(at, piece);
      for (const byte of piece) checksum = (((checksum >> 1) | (checksum << 15)) + byte) & 0xffff;
      await machine.exclusive(() => Promise.resolve());
    }
    return checksum;
  },
  hmp: {
    names: "sum",
    parameters: "addr size",
    help: "compute the checksum of a memory region",
    print: (output, value) => output.print(`${value.toString().padStart(5, "0")}\n`),
  },
});

export const print = command({
  name: "print",
  summary: "Calculates.",
  arguments: { format: arg.format(), value: arg.int64() },
  run: (_context, { value }): bigint => value,
  hmp: {
    names: "print|p",
    parameters: "/fmt expr",
    help: "print expression value (use $reg for CPU register access)",
    print: (output, value, { format }) => output.print(`${formatNumber(value, format.format)}\n`),
  },
});
