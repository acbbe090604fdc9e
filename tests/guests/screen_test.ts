/**
 * The same firmware on the same card here and in QEMU: the screens must be equal, pixel by pixel.
 *
 * @module
 */
import { assert } from "@std/assert";
import { findFirmware } from "../../machine/firmware/find.ts";
import { Vm } from "../../mod.ts";
import { haveProgram } from "../support/programs.ts";

const QEMU = "qemu-system-x86_64";
const hasFirmware = findFirmware("vgabios-stdvga.bin") !== undefined;
/** QEMU's screen is looked at so often: its cursor blinks, and it may be slow. */
const LOOKS = 100;

Deno.test({
  name: "SeaBIOS shows the same picture as in QEMU",
  ignore: !haveProgram(QEMU) || !hasFirmware,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      await using vm = await Vm.start({ accel: "v86", drives: ["driver=null-co,size=1M,read-zeroes=on"] });
      // The cursor is below the last line when all is said.
      const isDone = () =>
        vm.screen.text().includes("No bootable device.") && vm.screen.characters?.cursor?.column === 0;
      await vm.until("SeaBIOS gives up", isDone, { timeoutMs: 120_000 });
      const shown = vm.screen.picture();
      const args = "-accel tcg -display none -monitor stdio -net none -drive driver=null-co,size=1M,read-zeroes=on"
        .split(" ");
      const child = new Deno.Command(QEMU, { args, stdin: "piped", stdout: "null", stderr: "null" }).spawn();
      const writer = child.stdin.getWriter();
      try {
        assert(await looksLike(shown.pixels, `${folder}/qemu.ppm`, writer), vm.screen.text());
      } finally {
        await writer.write(new TextEncoder().encode("quit\n"));
        await writer.close();
        await child.status;
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Whether QEMU comes to show these pixels. */
async function looksLike(
  pixels: Uint8Array,
  filename: string,
  monitor: WritableStreamDefaultWriter<Uint8Array>,
): Promise<boolean> {
  for (let look = 0; look < LOOKS; look++) {
    await monitor.write(new TextEncoder().encode(`screendump ${filename}\n`));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const file = await Deno.readFile(filename).catch(() => new Uint8Array(0));
    const theirs = file.subarray(Math.max(0, file.length - pixels.length));
    if (theirs.length === pixels.length && theirs.every((part, at) => part === pixels[at])) return true;
  }
  return false;
}
