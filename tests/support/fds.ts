/**
 * Finds file descriptors that a test leaves open, also those that FFI opened and Deno's sanitizers cannot see.
 *
 * @module
 */
import { fail } from "@std/assert";

/** What each open descriptor of this process points at; asked of `ls`, since Deno keeps /proc to those who may all. */
export function openDescriptors(): Map<number, string> {
  const { stdout } = new Deno.Command("ls", { args: ["-l", `/proc/${Deno.pid}/fd`], stderr: "null" }).outputSync();
  const rows = new TextDecoder().decode(stdout).matchAll(/ (\d+) -> (.*)$/gm);
  return new Map([...rows].map(([, descriptor, target]) => [Number(descriptor), target!]));
}

/** Runs `body` and fails where regular files, devices or io_uring instances are open after it that were not before. */
export async function withoutLeaks(body: () => Promise<void>): Promise<void> {
  const before = openDescriptors();
  await body();
  const left = [...openDescriptors()].filter(([fd, target]) =>
    before.get(fd) !== target && (target.startsWith("/") || target.includes("io_uring")) && target !== "/dev/null"
  );
  if (left.length > 0) fail(`still open: ${left.map(([fd, target]) => `${fd} -> ${target}`).join(", ")}`);
}
