import { assert, assertEquals } from "@std/assert";
import "./preload.ts";
import { O_RDONLY } from "./constants.ts";
import { closeDescriptor, openPath } from "./files.ts";
import { hostLibrary } from "./libc.ts";
import { lowerCompilerThreads } from "./threads.ts";

const host = hostLibrary()!;

/** How far a thread of this process stands back: the 19th field of its line. */
function niceness(thread: number): number {
  const descriptor = openPath(host, `/proc/self/task/${thread}/stat`, O_RDONLY);
  const line = new Uint8Array(1024);
  const length = host.symbols.pread(descriptor, line, BigInt(line.length), 0n);
  closeDescriptor(host, descriptor);
  const [, fields] = new TextDecoder().decode(line.subarray(0, length)).split(") ");
  return Number(fields!.split(" ")[16]);
}

Deno.test("threads that compile stand back, this one does not", () => {
  const workers = lowerCompilerThreads();
  assert(workers.length > 0, "V8 has threads, and they have the name that is looked for");
  assertEquals(workers.map(niceness), workers.map(() => niceness(Deno.pid) + 5));
  assertEquals(lowerCompilerThreads(), workers);
});
