/**
 * qemu-io's commands that look at an image or change it as a whole: length, info, alloc, map, flush, truncate, help ...
 *
 * @module
 */
import { sleep } from "../../base/clocks.ts";
import { errnoText } from "../../base/errno.ts";
import { formatIoSize } from "../../base/sizes.ts";
import { NS_PER_MS, SECTOR_BYTES } from "../../base/units.ts";
import { BlockError, errnoOf, findBreakpoints, type PreallocationMode } from "../../block/mod.ts";
import { specificLines } from "../format/mod.ts";
import { helpLine, type IoCommand, type IoContext, IoRefusal, parseNumber, usage } from "./command.ts";
import { SIGRAISE_HELP } from "./long_help.ts";

/** The medium, or ENOMEDIUM. */
function medium(io: IoContext) {
  const { node } = io.backend;
  if (node === undefined) throw new BlockError({ kind: "io", operation: "status", errno: "ENOMEDIUM" });
  return node;
}

/** Runs `work`; a failure is reported as the tool reports its errors. */
async function reporting(io: IoContext, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    io.output.report(error.message);
    return false;
  }
}

/** Runs `work`; a failure is one line: what, and the error's text. */
async function failing(io: IoContext, what: string, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    io.output.print(`${what}: ${errnoText(errnoOf(error))}\n`);
    return false;
  }
}

export const flush: IoCommand = {
  name: "flush",
  alias: "f",
  help: "flush all in-core file state to disk",
  minArguments: 0,
  maxArguments: 0,
  async run(io) {
    try {
      await io.backend.flush({ account: false });
      return true;
    } catch (error) {
      if (error instanceof BlockError) return false;
      throw error;
    }
  },
};

export const aioFlush: IoCommand = {
  name: "aio_flush",
  help: "completes all outstanding aio requests",
  minArguments: 0,
  maxArguments: 0,
  async run(io) {
    const startNs = io.clock.nowNs();
    const points = findBreakpoints(io.backend.node);
    if (points !== undefined && points.suspendedCount > 0) {
      throw new IoRefusal("A suspended request does not end before it is resumed");
    }
    await io.background.settled();
    io.backend.stats.done("flush", 0, startNs, io.clock.nowNs());
    return true;
  },
};

export const length: IoCommand = {
  name: "length",
  immediate: true,
  alias: "l",
  help: "gets the length of the current file",
  minArguments: 0,
  maxArguments: 0,
  run: (io) =>
    failing(io, "getlength", async () => {
      io.output.print(`${formatIoSize(await Promise.resolve(medium(io).size))}\n`);
    }),
};

const PREALLOCATION: readonly string[] = ["off", "metadata", "falloc", "full"];

export const truncate: IoCommand = {
  name: "truncate",
  alias: "t",
  writes: true,
  parameters: "[-m prealloc_mode] off",
  help: "truncates the current file at the given offset",
  minArguments: 1,
  maxArguments: 3,
  options: "m:",
  run(io, call) {
    const mode = call.value("m") ?? "off";
    if (!PREALLOCATION.includes(mode)) {
      io.output.report(`Invalid preallocation mode '${mode}'`);
      return false;
    }
    if (call.words.length !== 1) return usage(io, call);
    const size = parseNumber(call.words[0]!);
    return reporting(io, () => io.backend.truncate(size, { preallocation: mode as PreallocationMode }));
  },
};

export const info: IoCommand = {
  name: "info",
  immediate: true,
  alias: "i",
  help: "prints information about the current file",
  minArguments: 0,
  maxArguments: 0,
  async run(io) {
    const { node } = io.backend;
    if (node === undefined) return false;
    const details = await node.driver.info?.();
    io.output.print(`format name: ${node.driver.name}\n`);
    io.output.print(`cluster size: ${formatIoSize(details?.clusterSizeBytes ?? 0)}\n`);
    io.output.print(`vm state offset: ${formatIoSize(details?.vmStateOffsetBytes ?? 0)}\n`);
    if (details?.specific !== undefined) {
      io.output.print("Format specific information:\n");
      io.output.show(specificLines(details.specific, 1).join(""));
    }
    return true;
  },
};

/** The first run at `offset`: whether this layer allocates it, and how long it is. */
async function allocation(io: IoContext, offset: number, lengthBytes: number) {
  const node = medium(io);
  const inside = Math.min(lengthBytes, node.size - offset);
  if (inside <= 0) return { allocated: false, lengthBytes: 0 };
  const extent = await node.status(offset, inside);
  return { allocated: extent.kind !== "unallocated", lengthBytes: Math.min(extent.lengthBytes, inside) };
}

export const alloc: IoCommand = {
  name: "alloc",
  alias: "a",
  parameters: "offset [count]",
  help: "checks if offset is allocated in the file",
  minArguments: 1,
  maxArguments: 2,
  run(io, call) {
    const start = parseNumber(call.words[0]!);
    let count = call.words[1] === undefined ? SECTOR_BYTES : parseNumber(call.words[1]);
    return failing(io, "is_allocated failed", async () => {
      let allocatedBytes = 0;
      for (let at = start, left = count; left > 0;) {
        const run = await allocation(io, at, left);
        if (run.lengthBytes === 0) {
          count -= left;
          break;
        }
        if (run.allocated) allocatedBytes += run.lengthBytes;
        at += run.lengthBytes;
        left -= run.lengthBytes;
      }
      io.output.print(`${allocatedBytes}/${count} bytes allocated at offset ${formatIoSize(start)}\n`);
    });
  },
};

export const map: IoCommand = {
  name: "map",
  parameters: "",
  help: "prints the allocated areas of a file",
  minArguments: 0,
  maxArguments: 0,
  run: (io) =>
    failing(io, "Failed to get allocation status", async () => {
      const { size } = medium(io);
      for (let at = 0; at < size;) {
        const start = at;
        let run = await allocation(io, at, size - at);
        const { allocated } = run;
        while (at < size && run.lengthBytes > 0 && run.allocated === allocated) {
          at += run.lengthBytes;
          if (at < size) run = await allocation(io, at, size - at);
        }
        if (at === start) return;
        const bytes = at - start;
        io.output.print(
          `${formatIoSize(bytes)} (0x${bytes.toString(16)}) bytes ${allocated ? "    allocated" : "not allocated"}` +
            ` at offset ${formatIoSize(start)} (0x${start.toString(16)})\n`,
        );
      }
    }),
};

export const abort: IoCommand = {
  name: "abort",
  immediate: true,
  help: "simulate a program crash using abort(3)",
  minArguments: 0,
  maxArguments: 0,
  withoutImage: true,
  run(io) {
    if (io.raise === undefined) throw new IoRefusal("abort: this program is not ended from here");
    io.raise("abort");
    return true;
  },
};

/** What the real program takes for the largest. */
const MAX_SIGNAL = 65;

export const sigraise: IoCommand = {
  name: "sigraise",
  immediate: true,
  parameters: "signal",
  help: "raises a signal",
  longHelp: SIGRAISE_HELP,
  minArguments: 1,
  maxArguments: 1,
  withoutImage: true,
  run(io, call) {
    const signal = parseNumber(call.words[0]!);
    if (signal > MAX_SIGNAL) {
      throw new IoRefusal(`signal argument '${call.words[0]}' is too large to be a valid signal`);
    }
    if (io.raise === undefined) throw new IoRefusal("sigraise: this program is not ended from here");
    io.raise(signal);
    return true;
  },
};

const MAX_SLEEP_MS = 2 ** 31 - 1;

export const sleepFor: IoCommand = {
  name: "sleep",
  help: "waits for the given value in milliseconds",
  minArguments: 1,
  maxArguments: 1,
  async run(io, call) {
    const text = call.words[0]!;
    const milliseconds = /^(?:0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : NaN;
    if (!(milliseconds >= 0)) throw new IoRefusal(`${text} is not a valid number`);
    await sleep(io.clock, Math.min(milliseconds, MAX_SLEEP_MS) * NS_PER_MS);
    return true;
  },
};

export const help: IoCommand = {
  name: "help",
  immediate: true,
  alias: "?",
  parameters: "[command]",
  help: "help for one or all commands",
  minArguments: 0,
  maxArguments: 1,
  withoutImage: true,
  run(io, call) {
    const name = call.words[0];
    if (name === undefined) {
      for (const command of io.table) io.output.print(helpLine(command));
      io.output.print("\nUse 'help commandname' for extended help.\n");
      return true;
    }
    const command = io.table.find((one) => one.name === name || one.alias === name);
    if (command === undefined) throw new IoRefusal(`command ${name} not found`);
    io.output.print(helpLine(command) + (command.longHelp ?? ""));
    return true;
  },
};
