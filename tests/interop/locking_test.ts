/**
 * One image, two programs: a machine of moa's and QEMU's tools keep each other from what does not go together, in the
 * same words, and share what may be shared.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { createImage, MiB, openImage, Vm } from "../../mod.ts";
import { withoutLeaks } from "../support/fds.ts";
import { runMoaImg } from "../support/moa_img.ts";
import { haveProgram, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ignore = !haveProgram("qemu-img") || !haveProgram("qemu-io") || !haveProgram("qemu-system-x86_64");

/** An overlay on a base, another overlay on it, and a CD. */
async function makeImages(temp: TempFolder): Promise<void> {
  const base = temp.file("base");
  await createImage({ filename: base, format: "qcow2", size: MiB });
  for (const name of ["top", "other"]) {
    const filename = temp.file(name);
    await createImage({ filename, format: "qcow2", backingFile: base, backingFormat: "qcow2" });
  }
  await temp.write("cd", new Uint8Array(64 * 1024));
}

function lockError(how: string, path: string): string {
  return `Failed to get ${how} lock\nIs another process using the image [${path}]?\n`;
}

const QEMU = ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", "-monitor", "none", "-drive"];

/** A real machine over `drive` while `body` runs. */
async function withQemu(drive: string, body: () => Promise<void>): Promise<void> {
  const args = [...QEMU, drive, "-monitor", "stdio"];
  const child = new Deno.Command("qemu-system-x86_64", { args, stdin: "piped", stdout: "piped", stderr: "null" })
    .spawn();
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  for (let text = ""; !text.includes("(qemu)");) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`qemu-system-x86_64 ended: ${text}`);
    text += decoder.decode(value);
  }
  try {
    await body();
  } finally {
    child.kill("SIGKILL");
    await reader.cancel();
    await child.stdin.close().catch(() => {});
    await child.status;
  }
}

Deno.test({
  name: "locking: a machine's image is kept from QEMU's tools, but for those that ask for no lock",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    await makeImages(temp);
    const [top, base, other, cd] = ["top", "base", "other", "cd"].map((name) => temp.file(name)) as [
      string,
      string,
      string,
      string,
    ];
    await using _vm = await Vm.start({
      nodefaults: true,
      drives: [`file=${top},if=ide`, `file=${cd},if=ide,media=cdrom,format=raw`],
    });
    const answers = async (program: string, ...args: string[]) => {
      const { code, stderr } = await run(program, args);
      return [code, stderr];
    };
    const open = `qemu-img: Could not open '${top}': `;
    assertEquals(await answers("qemu-img", "info", top), [1, open + lockError('shared "write"', top)]);
    assertEquals(await answers("qemu-img", "info", "-U", top), [0, ""]);
    assertEquals(await answers("qemu-img", "resize", top, "2M"), [1, open + lockError('"write"', top)]);
    const device = "qemu-io: can't open device ";
    assertEquals(await answers("qemu-io", "-c", "write 0 512", top), [
      1,
      `${device}${top}: ${lockError('"write"', top)}`,
    ]);
    assertEquals(await answers("qemu-io", "-c", "write 0 512", base), [
      1,
      `${device}${base}: ${lockError('"write"', base)}`,
    ]);
    assertEquals(await answers("qemu-io", "-r", "-c", "read 0 512", base), [0, ""]);
    assertEquals(await answers("qemu-io", "-c", "write 0 512", other), [0, ""]);
    assertEquals(await answers("qemu-img", "info", "-f", "raw", cd), [0, ""]);
    const drive = `file=${top},if=ide`;
    assertEquals(await answers("qemu-system-x86_64", ...QEMU, drive), [
      1,
      `qemu-system-x86_64: -drive ${drive}: ${lockError('"write"', top)}`,
    ]);
  },
});

Deno.test({
  name: "locking: an image of QEMU's machine is kept from moa, but for readers that ask for no lock",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    await makeImages(temp);
    const [top, base, cd] = ["top", "base", "cd"].map((name) => temp.file(name)) as [string, string, string];
    await withQemu(`file=${top},if=ide`, () =>
      withoutLeaks(async () => {
        await assertRejects(() => openImage(top), Error, 'Failed to get "write" lock');
        await assertRejects(() => openImage(top, { readOnly: true }), Error, 'Failed to get shared "write" lock');
        await assertRejects(() => openImage(base), Error, 'Failed to get "write" lock');
        await assertRejects(
          () => Vm.start({ nodefaults: true, drives: [`file=${top},if=ide`] }),
          Error,
          'Failed to get "write" lock',
        );
        for (const path of [top, base]) {
          await using image = await openImage(path, { readOnly: true, forceShare: true });
          assertEquals(await image.read(0, 512), new Uint8Array(512));
        }
        const folder = temp.path;
        const moa = await runMoaImg([["info", "top"], ["info", "-U", "top"], ["check", "-U", "top"], ["info", "base"]]
          .map((args) => ({ folder, args })));
        assertEquals(moa.map(({ code }) => code), [1, 0, 0, 0]);
        assertEquals(moa[0]!.stderr, `qemu-img: Could not open 'top': ${lockError('shared "write"', "top")}`);
      }));
    await withQemu(`file=${cd},if=ide,media=cdrom,format=raw`, async () => {
      await using vm = await Vm.start({ nodefaults: true, drives: [`file=${cd},if=ide,media=cdrom,format=raw`] });
      assertEquals((await vm.info.status()).status, "running");
    });
  },
});

Deno.test({
  name: "locking: a lock on a backing file is told as qemu-img tells it",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    await makeImages(temp);
    const base = temp.file("base");
    await withQemu(`file=${base},if=ide`, async () => {
      const { code, stderr } = await run("qemu-img", ["check", "top"], { cwd: temp.path });
      const [moa] = await runMoaImg([{ folder: temp.path, args: ["check", "top"] }]);
      assertEquals([moa!.code, moa!.stderr], [code, stderr]);
    });
  },
});
