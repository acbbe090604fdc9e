/**
 * `moa img bench`: sends reads or writes of one size to an image, so many at a time, and says how long that took.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { BlockBackend, BlockError, cacheMode } from "../../block/mod.ts";
import type { Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { makeGraph, openImage } from "./images.ts";
import { sizeArgument } from "./numbers.ts";
import { Turns } from "./turns.ts";

const SPEC = {
  short: "hc:d:f:ni:o:qs:S:t:wU",
  long: {
    help: { is: "h", takesValue: false },
    "flush-interval": { is: "flush-interval", takesValue: true },
    pattern: { is: "pattern", takesValue: true },
    "no-drain": { is: "no-drain", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    "force-share": { is: "U", takesValue: false },
  },
};

const INT_MAX = 0x7fff_ffff;
const AIO: readonly string[] = ["threads", "native", "io_uring"];

/** What is sent. */
interface Plan {
  readonly write: boolean;
  readonly count: number;
  readonly depth: number;
  readonly requestBytes: number;
  readonly offset: number;
  readonly step: number;
  readonly pattern: number;
  /** Requests between two flushes; 0 for none. */
  readonly flushInterval: number;
  /** A flush waits for what is in flight, and is waited for. */
  readonly drain: boolean;
}

/** Runs the subcommand. */
export async function bench(program: Program, args: readonly string[]): Promise<number> {
  const { options, operands } = program.getopt(args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  const plan = readPlan(program, options, has);
  const cache = cacheMode(last("t") ?? "writeback");
  if (cache === undefined) program.fail("Invalid cache mode");
  const [filename] = operands;
  if (filename === undefined || operands.length !== 1) program.usage("Expecting one image file name");
  if (!plan.write && plan.flushInterval > 0) program.fail("--flush-interval is only available in write tests");
  if (plan.flushInterval > 0 && plan.flushInterval < plan.depth) {
    program.fail("Flush interval can't be smaller than depth");
  }
  const aio = options.findLast(({ is }) => is === "n" || is === "i");

  await using graph = makeGraph(program);
  const node = await openImage(program, graph, filename, {
    format: last("f"),
    imageOpts: has("image-opts"),
    writable: plan.write,
    forceShare: has("U"),
    cache,
    ...(aio === undefined ? {} : { aio: aio.is === "n" ? "native" : aio.value as "threads" | "native" | "io_uring" }),
  });
  await using backend = new BlockBackend({ graph, readOnly: !plan.write, writeCache: cache.writeback });
  try {
    await backend.insertMedium(node);
    program.out(
      `Sending ${plan.count} ${plan.write ? "write" : "read"} requests, ${plan.requestBytes} bytes each, ` +
        `${plan.depth} in parallel (starting at offset ${plan.offset}, step size ${plan.step})\n`,
    );
    if (plan.flushInterval > 0) {
      program.out(`Sending flush every ${plan.flushInterval} requests\n`);
    }
    const startNs = graph.clocks.realtime.nowNs();
    await send(plan, backend);
    const seconds = (graph.clocks.realtime.nowNs() - startNs) / 1e9;
    program.out(`Run completed in ${seconds.toFixed(3)} seconds.\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.report("Failed request: ", error);
    return 1;
  }
}

type Options = readonly { readonly is: string; readonly value: string }[];

/** Reads what is to be sent; the first value that will not do ends the program. @throws {Exit} */
function readPlan(program: Program, options: Options, has: (name: string) => boolean): Plan {
  const numbers: Record<string, number> = {};
  const sizes: Readonly<Record<string, [string, number?]>> = {
    o: ["offset"],
    s: ["buffer size", INT_MAX],
    S: ["step_size", INT_MAX],
  };
  const counts: Readonly<Record<string, [string, number]>> = {
    c: ["request count", INT_MAX],
    d: ["queue depth", INT_MAX],
    pattern: ["pattern byte", 0xff],
    "flush-interval": ["flush interval", INT_MAX],
  };
  for (const { is, value } of options) {
    if (is === "object") addObject(program, value);
    if (is === "i" && !AIO.includes(value)) program.fail(`Invalid aio option: ${value}`);
    const size = sizes[is];
    const count = counts[is];
    if (size !== undefined) {
      numbers[is] = sizeArgument(program, size[0], value, size[1] === undefined ? {} : { max: size[1] });
    } else if (count !== undefined) {
      const number = plainNumber(value);
      if (!(number <= count[1])) program.fail(`Invalid ${count[0]} specified`);
      // qemu-img waits for ever.
      if (is === "d" && number === 0) program.fail("Invalid queue depth specified");
      numbers[is] = number;
    }
  }
  const requestBytes = numbers["s"] ?? 4096;
  return {
    write: has("w"),
    count: numbers["c"] ?? 75000,
    depth: numbers["d"] ?? 64,
    requestBytes,
    offset: numbers["o"] ?? 0,
    step: numbers["S"] || requestBytes,
    pattern: numbers["pattern"] ?? 0,
    flushInterval: numbers["flush-interval"] ?? 0,
    drain: !has("no-drain"),
  };
}

/** A number as C's strtoul reads it in base 0, or NaN. */
function plainNumber(text: string): number {
  if (/^\s*\+?0[xX][0-9a-fA-F]+$/.test(text)) return Number(text.trim().replace("+", ""));
  if (/^\s*\+?0[0-7]+$/.test(text)) return parseInt(text.trim().replace("+", ""), 8);
  return /^\s*\+?\d+$/.test(text) ? Number(text) : NaN;
}

async function send(plan: Plan, backend: BlockBackend): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  const buffers: Uint8Array[] = [];
  const turns = new Turns();
  const size = backend.sizeBytes;
  let offset = plan.offset;
  let failure: unknown;
  const start = (work: Promise<void>, buffer: Uint8Array | undefined) => {
    const one: Promise<void> = work.catch((error) => void (failure ??= error)).then(() => {
      inFlight.delete(one);
      if (buffer !== undefined) buffers.push(buffer);
    });
    inFlight.add(one);
  };
  for (let sent = 0; sent < plan.count && failure === undefined;) {
    while (inFlight.size >= plan.depth) await Promise.race(inFlight);
    if (failure !== undefined) break;
    const buffer = buffers.pop() ?? new Uint8Array(plan.requestBytes).fill(plan.pattern);
    const data = IoVector.of(buffer);
    start(plan.write ? backend.write(offset, data) : backend.read(offset, data), buffer);
    offset = size === 0 ? 0 : (offset + plan.step) % size;
    sent++;
    if (plan.flushInterval > 0 && sent % plan.flushInterval === 0) {
      if (plan.drain) await Promise.all(inFlight);
      start(backend.flush(), undefined);
      if (plan.drain) await Promise.all(inFlight);
    }
    if ((sent & 255) === 0) await turns.take();
  }
  await Promise.all(inFlight);
  if (failure !== undefined) throw failure;
}
