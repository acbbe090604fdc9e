/**
 * Disks in int 13h: every kind of them boots, and shows the shape that it shows under SeaBIOS, so that what was
 * partitioned under one boots under the other.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Vm } from "../../mod.ts";
import { TempFolder } from "../support/temp.ts";
import { haveSeaBios } from "./boot_sector.ts";
import { bootSector, PATIENCE_MS } from "./booted.ts";

const MIB = 1 << 20;

/** Functions 08h, 15h and 48h of the first disk. */
const ASKS = bootSector(`
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov ah, 8
        mov dl, 0x80
        int 0x13
        mov [0x500], cx
        mov [0x502], dx
        mov ah, 0x15
        mov dl, 0x80
        int 0x13
        mov [0x504], ax
        mov [0x506], cx
        mov [0x508], dx
        mov word [0x510], 26
        mov si, 0x510
        mov ah, 0x48
        mov dl, 0x80
        int 0x13
        mov byte [0x5ff], 0x77
stand:  hlt
        jmp stand
`);

/** Sizes around which the translation changes, for each interface; a partition that ends at head 239 of 240 too. */
const DISKS: readonly (readonly [what: string, mib: number, lastHead?: number])[] = [
  ["if=ide", 20],
  ["if=ide", 505],
  ["if=ide", 600],
  ["if=ide", 600, 239],
  ["if=ide", 300, 9],
  ["if=ide", 9000],
  ["if=virtio", 505],
  ["if=virtio", 8000],
];

for (const [what, mib, lastHead] of DISKS) {
  Deno.test({
    name: `a disk of ${mib} MiB with ${what}${lastHead === undefined ? "" : ` and ${lastHead + 1} heads`}: its shape`,
    ignore: !haveSeaBios(),
    fn: async () => {
      await using temp = await TempFolder.make();
      const first = ASKS.slice();
      if (lastHead !== undefined) {
        first.set([0x80, 1, 1, 0, 6, lastHead, 63, 100], 446);
        new DataView(first.buffer).setUint32(446 + 12, 2000, true);
      }
      const path = await temp.write("disk.raw", first);
      await Deno.truncate(path, mib * MIB);
      const seen: string[] = [];
      for (const options of [{}, { bios: "built-in" }] as const) {
        await using vm = await Vm.start({
          accel: "v86",
          memory: 16,
          ...options,
          drives: [`file=${path},format=raw,${what}`],
        });
        const { memory } = vm.machine;
        await vm.until("the guest to be done", () => memory.readValue(0x5ff, 1) === 0x77, { timeoutMs: PATIENCE_MS });
        seen.push([[0x500, 10], [0x510, 26]].map(([at, length]) => memory.slice(at!, length!).toHex()).join(" "));
      }
      assertEquals(seen[1], seen[0]);
    },
  });
}

for (const type of ["virtio-blk-pci", "virtio-blk-pci-transitional", "virtio-blk-pci-non-transitional", "ide-hd"]) {
  Deno.test(`the built-in firmware boots from a disk behind ${type}`, async () => {
    await using temp = await TempFolder.make();
    const path = await temp.write("disk.raw", ASKS);
    await Deno.truncate(path, MIB);
    await using vm = await Vm.start({
      accel: "v86",
      memory: 16,
      bios: "built-in",
      drives: [`file=${path},format=raw,if=none,id=disk`],
      devices: [`${type},drive=disk`],
    });
    const { memory } = vm.machine;
    await vm.until("the guest to be done", () => memory.readValue(0x5ff, 1) === 0x77, { timeoutMs: PATIENCE_MS });
  });
}
