/**
 * Starts this very program once more, in a session of its own, and waits for its word: what a daemon is made with.
 *
 * The C library does it (posix_spawn), so that no `run` permission is needed: nothing but the program itself is started,
 * with the arguments it has got. Deno keeps /proc from scripts, so these are read through the library, too.
 *
 * Parent and child share a pipe: a byte says that the child is ready; its end without one, that the child has failed.
 *
 * Source: posix_spawn(3), POSIX_SPAWN_SETSID in posix_spawnattr_setflags(3), proc_pid_cmdline(5), waitpid(2).
 *
 * @module
 */
import { O_CLOEXEC, O_RDONLY, O_RDWR } from "./constants.ts";
import { check, HostError } from "./errors.ts";
import { closeDescriptor, cString, openPath, retry, statDescriptor } from "./files.ts";
import { type HostLibrary, hostLibrary } from "./libc.ts";
import { addressOf, putWord } from "./pointers.ts";
import { errnoFromNumber } from "../errno.ts";

const SYMBOLS = {
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  dup2: { parameters: ["i32", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i32", nonblocking: true },
  waitpid: { parameters: ["i32", "buffer", "i32"], result: "i32", nonblocking: true },
  posix_spawn: { parameters: ["buffer", "buffer", "buffer", "buffer", "buffer", "buffer"], result: "i32" },
  posix_spawn_file_actions_init: { parameters: ["buffer"], result: "i32" },
  posix_spawn_file_actions_addopen: { parameters: ["buffer", "i32", "buffer", "i32", "u32"], result: "i32" },
  posix_spawn_file_actions_destroy: { parameters: ["buffer"], result: "i32" },
  posix_spawnattr_init: { parameters: ["buffer"], result: "i32" },
  posix_spawnattr_setflags: { parameters: ["buffer", "i16"], result: "i32" },
  posix_spawnattr_destroy: { parameters: ["buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type SpawnSymbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const POSIX_SPAWN_SETSID = 0x80;
/** More than the C library's structures take (80 and 336 bytes). */
const STRUCTURE_BYTES = 512;
const F_SETFD = 2;

/** How a program that was started began: it is at work, or it has ended with a status. */
export type Started = { readonly ready: true } | { readonly ready: false; readonly status: number };

/**
 * Starts this program again with its own arguments; resolves when that one has called {@link becomeDaemon} or has ended.
 *
 * `program` is the file that is run. The new one's standard input is empty, its outputs are this one's; `environment` is
 * all of its environment, and `readyVariable` is the variable in it that will hold the number of the pipe.
 *
 * @throws {HostError} where there is no such program, or no C library
 */
export async function startAgain(
  program: string,
  environment: Readonly<Record<string, string>>,
  readyVariable: string,
): Promise<Started> {
  const host = requireLibrary();
  const library = Deno.dlopen("libc.so.6", SYMBOLS);
  try {
    const { symbols } = library;
    const ends = new Int32Array(2);
    check("pipe2", retry(host, () => symbols.pipe2(new Uint8Array(ends.buffer), O_CLOEXEC)));
    const [ours, theirs] = [ends[0]!, ends[1]!];
    try {
      // Only this end is to be inherited.
      check("fcntl", retry(host, () => host.symbols.fcntl_int(theirs, F_SETFD, 0n)));
      const child = spawn(symbols, program, ownArguments(host), { ...environment, [readyVariable]: String(theirs) });
      closeDescriptor(host, theirs);
      const byte = new Uint8Array(1);
      if (await symbols.read(ours, byte, 1n) === 1) return { ready: true };
      const status = new Uint8Array(4);
      await symbols.waitpid(child, status, 0);
      return { ready: false, status: exitStatus(new DataView(status.buffer).getInt32(0, true)) };
    } finally {
      closeDescriptor(host, ours);
    }
  } finally {
    library.close();
  }
}

/** Says to the one who waits in {@link startAgain} that all went well, and lets go of the standard outputs. */
export function becomeDaemon(pipe: number): void {
  const host = requireLibrary();
  const library = Deno.dlopen("libc.so.6", SYMBOLS);
  try {
    const { symbols } = library;
    const nothing = check("open", openPath(host, "/dev/null", O_RDWR));
    for (const one of [...copiesOf(host, [1, 2]), 0, 1, 2]) {
      check(
        "dup2",
        retry(host, () => symbols.dup2(nothing, one)),
      );
    }
    closeDescriptor(host, nothing);
    // Whoever waited may have gone.
    symbols.write(pipe, new Uint8Array([1]), 1n);
    closeDescriptor(host, pipe);
  } finally {
    library.close();
  }
}

/** Beyond it are those that were opened later than Deno's own copies. */
const HIGHEST_COPY = 255;

/** Descriptors on the same files: Deno makes copies of the standard outputs, which would keep a reader waiting. */
function copiesOf(host: HostLibrary, originals: readonly number[]): number[] {
  const identity = (descriptor: number): string | undefined => {
    const stat = statDescriptor(host, descriptor);
    return typeof stat === "number" ? undefined : `${stat.deviceMajor}:${stat.deviceMinor}:${stat.inode}`;
  };
  const wanted = new Set(originals.map(identity));
  const found: number[] = [];
  for (let descriptor = 3; descriptor <= HIGHEST_COPY; descriptor++) {
    const one = identity(descriptor);
    if (one !== undefined && wanted.has(one)) found.push(descriptor);
  }
  return found;
}

function requireLibrary(): HostLibrary {
  const host = hostLibrary();
  if (host === undefined) throw new HostError("dlopen", "ENOSYS");
  return host;
}

function spawn(
  symbols: SpawnSymbols,
  program: string,
  words: readonly Uint8Array[],
  environment: Readonly<Record<string, string>>,
): number {
  const actions = new Uint8Array(STRUCTURE_BYTES);
  const attributes = new Uint8Array(STRUCTURE_BYTES);
  symbols.posix_spawn_file_actions_init(actions);
  symbols.posix_spawnattr_init(attributes);
  try {
    symbols.posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID);
    const nothing = cString("/dev/null");
    symbols.posix_spawn_file_actions_addopen(actions, 0, nothing, O_RDONLY, 0);
    const variables = Object.entries(environment).map(([name, value]) => cString(`${name}=${value}`));
    const child = new Uint8Array(4);
    const file = cString(program);
    const error = symbols.posix_spawn(child, file, actions, attributes, pointers(words), pointers(variables));
    if (error !== 0) throw new HostError("posix_spawn", errnoFromNumber(error));
    return new DataView(child.buffer).getInt32(0, true);
  } finally {
    symbols.posix_spawn_file_actions_destroy(actions);
    symbols.posix_spawnattr_destroy(attributes);
  }
}

/** A table of pointers that ends with a null pointer; `strings` have to outlive it. */
function pointers(strings: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array(8 * (strings.length + 1));
  const view = new DataView(table.buffer);
  for (const [index, text] of strings.entries()) putWord(view, 8 * index, addressOf(text));
  return table;
}

/** This process's arguments, each with its zero byte. */
function ownArguments(host: HostLibrary): Uint8Array[] {
  const descriptor = check("open", openPath(host, "/proc/self/cmdline", O_RDONLY));
  try {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const piece = new Uint8Array(65536);
      const got = check("pread", retry(host, () => host.symbols.pread(descriptor, piece, 65536n, BigInt(length))));
      if (got === 0) break;
      pieces.push(piece.subarray(0, got));
      length += got;
    }
    const all = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    const words: Uint8Array[] = [];
    for (let start = 0, end; start < all.length; start = end + 1) {
      end = all.indexOf(0, start);
      if (end < 0) end = all.length - 1;
      words.push(all.slice(start, end + 1));
    }
    return words;
  } finally {
    closeDescriptor(host, descriptor);
  }
}

/** The status of a process from what waitpid says; 1 where a signal ended it. */
function exitStatus(status: number): number {
  return (status & 0x7f) === 0 ? (status >> 8) & 0xff : 1;
}
