/**
 * Loop devices: block devices over files, for tests of images on devices.
 *
 * @module
 */
import { haveProgram, must, run } from "./programs.ts";
import { TempFolder } from "./temp.ts";

/** A loop device over the file `path`, until the end of its scope. */
export async function attachLoop(path: string): Promise<{ readonly device: string } & AsyncDisposable> {
  const device = (await must("losetup", ["--find", "--show", path])).trim();
  return { device, [Symbol.asyncDispose]: async () => void await run("losetup", ["--detach", device]) };
}

/** Whether loop devices may be made here: found out by trying. */
export async function mayAttachLoops(): Promise<boolean> {
  if (Deno.uid() !== 0 || !haveProgram("losetup")) return false;
  await using temp = await TempFolder.make();
  const { code, stdout } = await run("losetup", ["--find", "--show", await temp.write("disk", new Uint8Array(4096))]);
  if (code !== 0) return false;
  await run("losetup", ["--detach", stdout.trim()]);
  return true;
}
