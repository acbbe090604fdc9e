/**
 * qemu-io's commands that move data: read, readv, write, writev, aio_read, aio_write, discard.
 *
 * @module
 */
import { errnoText } from "../../base/errno.ts";
import { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { BlockError, type BlockNode, errnoOf } from "../../block/mod.ts";
import {
  type IoCall,
  type IoCommand,
  type IoContext,
  IoRefusal,
  parseLength,
  parseNumber,
  parsePattern,
  usage,
} from "./command.ts";
import { dump, formatReport } from "./report.ts";
import {
  AIO_READ_HELP,
  AIO_WRITE_HELP,
  DISCARD_HELP,
  READ_HELP,
  READV_HELP,
  WRITE_HELP,
  WRITEV_HELP,
} from "./long_help.ts";

/** What a buffer holds before a read, and what writes write unless told. */
const READ_FILL = 0xab;
const WRITE_FILL = 0xcd;

interface Request {
  readonly verb: string;
  /** As the failure names it. */
  readonly failing: string;
  readonly offset: number;
  readonly lengthBytes: number;
  readonly quiet: boolean;
  readonly machineReadable: boolean;
}

/** Does the work, timed; prints the failure. `undefined` where it failed, else how long it took. */
async function timed(io: IoContext, failing: string, work: () => Promise<void>): Promise<number | undefined> {
  const startNs = io.clock.nowNs();
  try {
    await work();
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    io.output.print(`${failing} failed: ${errnoText(errnoOf(error))}\n`);
    return undefined;
  }
  return io.clock.nowNs() - startNs;
}

function report(io: IoContext, request: Request, durationNs: number): void {
  if (request.quiet) return;
  const { verb, offset, lengthBytes, machineReadable } = request;
  io.output.print(
    formatReport({
      verb,
      offset,
      wantedBytes: lengthBytes,
      doneBytes: lengthBytes,
      operations: 1,
      durationNs,
      machineReadable,
    }),
  );
}

function requestOf(call: IoCall, verb: string, failing: string, offset: number, lengthBytes: number): Request {
  return { verb, failing, offset, lengthBytes, quiet: call.has("q"), machineReadable: call.has("C") };
}

function vmState(io: IoContext) {
  const store = io.backend.node?.driver.vmState;
  if (store === undefined) throw new BlockError({ kind: "io", operation: "read", errno: "ENOTSUP" });
  return store;
}

function requireAligned(value: number, what: string): void {
  if (value % SECTOR_BYTES !== 0) throw new IoRefusal(`${value} is not a sector-aligned value for '${what}'`);
}

/** What `-P` checks of the data that was read. */
interface Check {
  readonly pattern: number;
  readonly at: number;
  readonly lengthBytes: number;
}

/** Reads, checks, dumps, reports. */
async function doRead(
  io: IoContext,
  request: Request,
  data: IoVector,
  work: () => Promise<void>,
  check: Check | undefined,
  verbose: boolean,
): Promise<boolean> {
  const durationNs = await timed(io, request.failing, work);
  if (durationNs === undefined) return false;
  let matches = true;
  const bytes = data.toBytes();
  if (check !== undefined) {
    const { pattern, at, lengthBytes } = check;
    matches = bytes.subarray(at, at + lengthBytes).every((byte) => byte === pattern);
    if (!matches) {
      io.output.print(`Pattern verification failed at offset ${request.offset + at}, ${lengthBytes} bytes\n`);
    }
  }
  if (!request.quiet && verbose) io.output.print(dump(bytes, request.offset));
  report(io, request, durationNs);
  return matches;
}

/** A buffer for a request; one that cannot be had is refused like any other. */
function buffer(lengthBytes: number, fill: number): Uint8Array {
  try {
    return new Uint8Array(lengthBytes).fill(fill);
  } catch {
    throw new IoRefusal(`cannot allocate ${lengthBytes} bytes`);
  }
}

function vectorOf(words: readonly string[], fill: number): IoVector {
  const lengths = words.map((word) => parseLength(word));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  // A request is bounded as a whole too.
  parseLength(String(total));
  return IoVector.from(lengths.map((length) => buffer(length, fill)));
}

export const read: IoCommand = {
  name: "read",
  alias: "r",
  parameters: "[-abCqv] [-P pattern [-s off] [-l len]] off len",
  help: "reads a number of bytes at a specified offset",
  longHelp: READ_HELP,
  minArguments: 2,
  options: "bCl:pP:qs:v",
  async run(io, call) {
    const limit = call.value("l");
    const start = call.value("s");
    const limitBytes = limit === undefined ? undefined : parseNumber(limit);
    const pattern = call.value("P") === undefined ? undefined : parsePattern(call.value("P")!);
    const startBytes = start === undefined ? 0 : parseNumber(start);
    const [offsetText, lengthText] = call.words;
    if (call.words.length !== 2) return usage(io, call);
    const offset = parseNumber(offsetText!);
    const lengthBytes = parseLength(lengthText!);
    if (pattern === undefined && (limit !== undefined || start !== undefined)) return usage(io, call);
    const checkBytes = limitBytes ?? lengthBytes - startBytes;
    if (checkBytes < 0 || startBytes + checkBytes > lengthBytes) {
      throw new IoRefusal("pattern verification range exceeds end of read data");
    }
    if (call.has("b")) {
      requireAligned(offset, "offset");
      requireAligned(lengthBytes, "count");
    }
    const data = IoVector.of(buffer(lengthBytes, READ_FILL));
    return await doRead(
      io,
      requestOf(call, "read", "read", offset, lengthBytes),
      data,
      () => call.has("b") ? vmState(io).read(offset, data) : io.backend.read(offset, data, { account: false }),
      pattern === undefined ? undefined : { pattern, at: startBytes, lengthBytes: checkBytes },
      call.has("v"),
    );
  },
};

/** What readv and aio_read have in common; the latter speaks through `background`, and is counted. */
function vectorRead(
  io: IoContext,
  call: IoCall,
  background: IoContext | undefined,
): (() => Promise<boolean>) | false {
  const pattern = call.value("P") === undefined ? undefined : parsePattern(call.value("P")!);
  const [offsetText, ...lengths] = call.words;
  if (offsetText === undefined || lengths.length === 0) return usage(io, call);
  const offset = parseNumber(offsetText);
  const data = vectorOf(lengths, READ_FILL);
  return () =>
    doRead(
      background ?? io,
      requestOf(call, "read", "readv", offset, data.length),
      data,
      () => io.backend.read(offset, data, { account: background !== undefined }),
      pattern === undefined ? undefined : { pattern, at: 0, lengthBytes: data.length },
      call.has("v"),
    );
}

export const readv: IoCommand = {
  name: "readv",
  parameters: "[-Cqv] [-P pattern] off len [len..]",
  help: "reads a number of bytes at a specified offset",
  longHelp: READV_HELP,
  minArguments: 2,
  options: "CP:qv",
  async run(io, call) {
    const start = vectorRead(io, call, undefined);
    return start === false ? false : await start();
  },
};

/** The same surroundings, but texts wait until somebody listens. */
function inBackground(io: IoContext): IoContext {
  return { ...io, output: { ...io.output, print: (text) => io.background.say(text) } };
}

/** Leaves a request running, as `aio_...` does. */
function leaveRunning(io: IoContext, work: () => Promise<unknown>): true {
  io.background.start(work());
  return true;
}

export const aioRead: IoCommand = {
  name: "aio_read",
  immediate: true,
  parameters: "[-Ciqv] [-P pattern] off len [len..]",
  help: "asynchronously reads a number of bytes",
  longHelp: AIO_READ_HELP,
  minArguments: 2,
  options: "CP:iqv",
  run(io, call) {
    if (call.has("i")) {
      io.output.print("injecting invalid read request\n");
      io.backend.stats.invalid("read", io.clock.nowNs());
      return true;
    }
    const start = vectorRead(io, call, inBackground(io));
    return start === false ? false : leaveRunning(io, start);
  },
};

/** Repeats a file's bytes over a buffer. */
async function fillFromFile(io: IoContext, filename: string, into: Uint8Array): Promise<boolean> {
  let bytes: Uint8Array;
  try {
    bytes = await io.readFile(filename, into.length);
  } catch (error) {
    io.output.error(`${filename}: ${error instanceof Error ? error.message : error}\n`);
    return false;
  }
  if (bytes.length === 0) {
    io.output.error(`${filename}: file is empty\n`);
    return false;
  }
  for (let at = 0; at < into.length; at += bytes.length) into.set(bytes.subarray(0, into.length - at), at);
  return true;
}

function checkWriteFlags(call: IoCall): void {
  const has = (letter: string) => call.has(letter);
  const refuse = (text: string) => {
    throw new IoRefusal(text);
  };
  if (has("b") && has("z")) refuse("-b and -z cannot be specified at the same time");
  if (has("f") && (has("b") || has("c"))) refuse("-f and -b or -c cannot be specified at the same time");
  if (has("n") && !has("z")) refuse("-n requires -z to be specified");
  if (has("u") && !has("z")) refuse("-u requires -z to be specified");
  if (["z", "P", "s"].filter(has).length > 1) refuse("Only one of -z, -P, and -s can be specified at the same time");
}

export const write: IoCommand = {
  name: "write",
  writes: true,
  alias: "w",
  parameters: "[-bcCfnquz] [-P pattern | -s source_file] off len",
  help: "writes a number of bytes at a specified offset",
  longHelp: WRITE_HELP,
  minArguments: 2,
  options: "bcCfnpP:qs:uz",
  async run(io, call) {
    const pattern = call.value("P") === undefined ? WRITE_FILL : parsePattern(call.value("P")!);
    if (call.words.length !== 2) return usage(io, call);
    checkWriteFlags(call);
    const offset = parseNumber(call.words[0]!);
    // Writing zeroes without data is not bounded as other requests are.
    const lengthBytes = call.has("n") ? parseNumber(call.words[1]!) : parseLength(call.words[1]!, " without -n");
    if (call.has("b") || call.has("c")) {
      requireAligned(offset, "offset");
      requireAligned(lengthBytes, "count");
    }
    const request = requestOf(call, "wrote", "write", offset, lengthBytes);
    const work = await writer(io, call, offset, lengthBytes, pattern);
    if (work === undefined) return false;
    const durationNs = await timed(io, "write", work);
    if (durationNs === undefined) return false;
    report(io, request, durationNs);
    return true;
  },
};

/** Compressed data comes in whole clusters, and goes only where there is no cluster yet. @throws {BlockError} */
async function refuseCompressed(node: BlockNode, offset: number, lengthBytes: number): Promise<void> {
  if (node.driver.writeCompressed === undefined) return;
  const cluster = (await node.driver.info?.())?.clusterSizeBytes ?? 1;
  const end = offset + lengthBytes;
  if (offset % cluster !== 0 || (end % cluster !== 0 && end !== node.size)) {
    throw new BlockError({ kind: "io", operation: "write", errno: "EINVAL" });
  }
  for (let at = offset; at < end;) {
    const run = await node.status(at, Math.min(end, node.size) - at);
    if (run.kind === "data" || (run.kind === "zero" && run.hostOffset !== undefined)) {
      throw new BlockError({ kind: "io", operation: "write", errno: "EIO" });
    }
    if (run.lengthBytes === 0) return;
    at += run.lengthBytes;
  }
}

/** What `write` is to do; `undefined` where its source file could not be read. */
async function writer(
  io: IoContext,
  call: IoCall,
  offset: number,
  lengthBytes: number,
  pattern: number,
): Promise<(() => Promise<void>) | undefined> {
  const fua = call.has("f");
  if (call.has("z") && !call.has("c")) {
    return () =>
      io.backend.writeZeroes(offset, lengthBytes, {
        unmap: call.has("u"),
        noFallback: call.has("n"),
        fua,
        account: false,
      });
  }
  const bytes = buffer(lengthBytes, call.has("z") ? 0 : pattern);
  const source = call.value("s");
  if (source !== undefined && !await fillFromFile(io, source, bytes)) return undefined;
  const data = IoVector.of(bytes);
  if (call.has("b")) return () => vmState(io).write(offset, data);
  if (call.has("c")) {
    return async () => {
      const { node } = io.backend;
      if (node === undefined) throw new BlockError({ kind: "io", operation: "write", errno: "ENOMEDIUM" });
      await refuseCompressed(node, offset, lengthBytes);
      await node.writeCompressed(offset, data);
    };
  }
  return () => io.backend.write(offset, data, { fua, account: false });
}

export const writev: IoCommand = {
  name: "writev",
  writes: true,
  parameters: "[-Cfq] [-P pattern] off len [len..]",
  help: "writes a number of bytes at a specified offset",
  longHelp: WRITEV_HELP,
  minArguments: 2,
  options: "CfqP:",
  async run(io, call) {
    const pattern = call.value("P") === undefined ? WRITE_FILL : parsePattern(call.value("P")!);
    const [offsetText, ...lengths] = call.words;
    if (offsetText === undefined || lengths.length === 0) return usage(io, call);
    const offset = parseNumber(offsetText);
    const data = vectorOf(lengths, pattern);
    const request = requestOf(call, "wrote", "writev", offset, data.length);
    const durationNs = await timed(
      io,
      "writev",
      () => io.backend.write(offset, data, { fua: call.has("f"), account: false }),
    );
    if (durationNs === undefined) return false;
    report(io, request, durationNs);
    return true;
  },
};

export const aioWrite: IoCommand = {
  name: "aio_write",
  immediate: true,
  writes: true,
  parameters: "[-Cfiquz] [-P pattern] off len [len..]",
  help: "asynchronously writes a number of bytes",
  longHelp: AIO_WRITE_HELP,
  minArguments: 2,
  options: "CfiP:quz",
  run(io, call) {
    const pattern = call.value("P") === undefined ? WRITE_FILL : parsePattern(call.value("P")!);
    const [offsetText, ...lengths] = call.words;
    if (offsetText === undefined || lengths.length === 0) return usage(io, call);
    if (call.has("z") && lengths.length !== 1) throw new IoRefusal("-z supports only a single length parameter");
    if (call.has("u") && !call.has("z")) throw new IoRefusal("-u requires -z to be specified");
    if (call.has("i")) {
      io.output.print("injecting invalid write request\n");
      io.backend.stats.invalid("write", io.clock.nowNs());
      return true;
    }
    const offset = parseNumber(offsetText);
    const fua = call.has("f");
    const zeroBytes = call.has("z") ? parseLength(lengths[0]!) : undefined;
    const data = zeroBytes === undefined ? vectorOf(lengths, pattern) : IoVector.allocate(0);
    const request = requestOf(call, "wrote", "aio_write", offset, zeroBytes ?? data.length);
    const speaker = inBackground(io);
    return leaveRunning(io, async () => {
      const durationNs = await timed(
        speaker,
        "aio_write",
        () =>
          zeroBytes === undefined
            ? io.backend.write(offset, data, { fua })
            : io.backend.writeZeroes(offset, zeroBytes, { unmap: call.has("u"), fua }),
      );
      if (durationNs !== undefined) report(speaker, request, durationNs);
    });
  },
};

export const discard: IoCommand = {
  name: "discard",
  writes: true,
  alias: "d",
  parameters: "[-Cq] off len",
  help: "discards a number of bytes at a specified offset",
  longHelp: DISCARD_HELP,
  minArguments: 2,
  options: "Cq",
  async run(io, call) {
    if (call.words.length !== 2) return usage(io, call);
    const offset = parseNumber(call.words[0]!);
    const lengthBytes = parseLength(call.words[1]!);
    const durationNs = await timed(io, "discard", () => io.backend.discard(offset, lengthBytes, { account: false }));
    if (durationNs === undefined) return false;
    report(io, requestOf(call, "discard", "discard", offset, lengthBytes), durationNs);
    return true;
  },
};
