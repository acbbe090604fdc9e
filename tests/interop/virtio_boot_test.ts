/**
 * SeaBIOS boots from a virtio disk by its own driver, over either interface: a boot sector says so on the serial line,
 * has another sector read by INT 13h and says what is in it.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const SEABIOS = ["/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/bios-256k.bin"].find((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

/**
 * At 7C00: sends "BOOTED" to COM1; INT 13h, AH=42h, drive 80h for sector 1 to 8000:0; sends that up to its zero; then
 * switches off by ACPI's port as firmware sets it (604h is QEMU's PM1a control at 600h).
 */
const BOOT =
  "McCO2Lr4A741fKyEwHQD7uv4tEKygL5AfM0TvgCAuvgDcgishMB0A+7r+LoEBrgAIO/06/1CT09URUQKAJCQkBAAAQAAgAAAAQAAAAAAAAA=";

const MOA = new URL("../../tools/moa.ts", import.meta.url).pathname;

/** A disk of 1 MiB with the boot sector, and a text in the sector after it. */
function disk(): Uint8Array {
  const bytes = new Uint8Array(1 << 20);
  bytes.set(Uint8Array.from(atob(BOOT), (char) => char.charCodeAt(0)));
  bytes.set([0x55, 0xaa], 510);
  bytes.set(new TextEncoder().encode("SECTOR 1\n"), 512);
  return bytes;
}

for (const properties of ["disable-modern=on", "disable-legacy=on,num-queues=2"]) {
  Deno.test({
    name: `SeaBIOS boots from virtio-blk-pci,${properties}`,
    ignore: SEABIOS === undefined,
    async fn() {
      await using temp = await TempFolder.make();
      const file = await temp.write("a.raw", disk());
      const serial = temp.file("serial");
      // deno-fmt-ignore
      const args = ["-accel", "v86", "-bios", SEABIOS!, "-m", "64", "-nodefaults", "-vga", "none", "-display", "none",
        "-monitor", "none", "-serial", `file:${serial}`, "-drive", `if=none,id=d,file=${file},format=raw`,
        "-device", `virtio-blk-pci,drive=d,bootindex=0,${properties}`];
      const { code, stderr } = await run(
        Deno.execPath(),
        ["run", "-q", "--no-prompt", "--frozen", "-A", MOA, ...args],
        {
          env: { MOA_ARGV0: "qemu-system-x86_64" },
          timeoutMs: 180_000,
        },
      );
      assertEquals([code, stderr, await Deno.readTextFile(serial)], [0, "", "BOOTED\nSECTOR 1\n"]);
    },
  });
}
