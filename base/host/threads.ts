/**
 * The threads that V8 compiles with stand back behind the program's own: where processors are few, they would take the
 * half of one from it while a guest's code is hot.
 *
 * There are as many for each of V8's levels of urgency as there are processors but one. They are found by their name;
 * Deno keeps /proc from scripts, so it is read through the C library.
 *
 * Source: setpriority(2), "C library/kernel differences" (on Linux a thread's), proc_pid_comm(5).
 *
 * @module
 */
import { O_RDONLY } from "./constants.ts";
import { closeDescriptor, openPath } from "./files.ts";
import { type HostLibrary, hostLibrary } from "./libc.ts";

/** What V8 calls its threads, as far as the kernel keeps it. */
const WORKER_NAME = "V8 DefaultWorke";
const NAME_BYTES = 16;
/** They start with the process, so that their numbers are near its own. */
const NUMBERS_LOOKED_AT = 128;
const PRIO_PROCESS = 0;
/** A third of the weight of a thread that has been left alone. */
const STEP = 5;

/** Makes V8's threads yield to this one; their numbers, none where there is no C library. */
export function lowerCompilerThreads(): number[] {
  const host = hostLibrary();
  if (host === undefined) return [];
  const numbers = Array.from({ length: NUMBERS_LOOKED_AT }, (_, index) => Deno.pid + 1 + index);
  const workers = numbers.filter((thread) => threadName(host, thread) === WORKER_NAME);
  const niceness = host.symbols.getpriority(PRIO_PROCESS, 0) + STEP;
  for (const thread of workers) host.symbols.setpriority(PRIO_PROCESS, thread, niceness);
  return workers;
}

/** The name of a thread of this process; empty where it has none of that number. */
function threadName(host: HostLibrary, thread: number): string {
  const descriptor = openPath(host, `/proc/self/task/${thread}/comm`, O_RDONLY);
  if (descriptor < 0) return "";
  const name = new Uint8Array(NAME_BYTES);
  const length = host.symbols.pread(descriptor, name, BigInt(name.length), 0n);
  closeDescriptor(host, descriptor);
  return new TextDecoder().decode(name.subarray(0, Math.max(0, length))).trimEnd();
}
