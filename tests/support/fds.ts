/**
 * Finds file descriptors that a test leaves open, also those that FFI opened and Deno's sanitizers cannot see.
 *
 * @module
 */
import { fail } from "@std/assert";

/** What each open descriptor of this process points at. */
export function openDescriptors(): Map<number, string> {
  const open = new Map<number, string>();
  for (const entry of Deno.readDirSync("/proc/self/fd")) {
    try {
      open.set(Number(entry.name), Deno.readLinkSync(`/proc/self/fd/${entry.name}`));
    } catch {
      // The descriptor of the listing itself is closed by now.
    }
  }
  return open;
}

/** Runs `body` and fails where regular files, devices or io_uring instances are open after it that were not before. */
export async function withoutLeaks(body: () => Promise<void>): Promise<void> {
  const before = openDescriptors();
  await body();
  const left = [...openDescriptors()].filter(([fd, target]) =>
    before.get(fd) !== target && (target.startsWith("/") || target.includes("io_uring")) && !target.startsWith("/proc/")
  );
  if (left.length > 0) fail(`still open: ${left.map(([fd, target]) => `${fd} -> ${target}`).join(", ")}`);
}
