/**
 * Machines whose CPU runs small guests: boot sectors in text, and what they leave in memory.
 *
 * @module
 */
import { assemble } from "../../machine/firmware/mod.ts";
import { Vm } from "../../mod.ts";
import type { VmOptions } from "../../monitor/mod.ts";
import { TempFolder } from "../support/temp.ts";
import { haveSeaBios } from "./boot_sector.ts";

/** Both firmwares, as a machine's options; a test with SeaBIOS is skipped where there is none. */
export const FIRMWARES = [
  { firmware: "SeaBIOS", bios: {}, ignore: !haveSeaBios() },
  { firmware: "built-in firmware", bios: { bios: "built-in" }, ignore: false },
] as const;

/** Where small guests say, last of all, that their results are there. */
export const DONE = 0x5ff;

/** How long a guest may take: machines vary threefold, and others may be at work. */
export const PATIENCE_MS = 60_000;

/** The first sector of a disk: `source` in 16-bit code at 7C00h, and the mark that firmware looks for. */
export function bootSector(source: string): Uint8Array {
  return assemble(`${source}\n times 510-($-$$) db 0\n dw 0xaa55\n`, 0x7c00).bytes;
}

/** A machine that boots from disks of its own. */
export interface BootedMachine extends AsyncDisposable {
  readonly vm: Vm;
  /** The bytes of a drive's image as they are now. */
  image(): Promise<Uint8Array>;
  /** Waits until the byte at `address` has that value. */
  untilByte(address: number, value: number): Promise<void>;
  read(address: number, length: number): Uint8Array;
}

/** Starts a machine from `disk`, a raw image on the first place of the IDE controller. */
export async function boot(disk: Uint8Array, options: VmOptions = {}): Promise<BootedMachine> {
  await using undo = new AsyncDisposableStack();
  const temp = undo.use(await TempFolder.make());
  const path = await temp.write("disk.raw", disk);
  const drives = [`file=${path},format=raw,if=ide,index=0`, ...options.drives ?? []];
  const vm = undo.use(await Vm.start({ accel: "v86", memory: 32, ...options, drives }));
  const resources = undo.move();
  const read = (address: number, length: number) => {
    const bytes = new Uint8Array(length);
    vm.machine.memory.read(address, bytes);
    return bytes;
  };
  return {
    vm,
    read,
    image: () => Deno.readFile(path),
    untilByte: (address, value) =>
      vm.until(`byte ${address.toString(16)}h to be ${value}`, () => read(address, 1)[0] === value, {
        timeoutMs: PATIENCE_MS,
      }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
