/**
 * A write that fails pauses the machine as werror says, and `cont` finishes it: with injected errors, and with a file
 * system that is really full.
 */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { BlockError, createImage, IdeGuest, MiB, openImage, Vm } from "../../mod.ts";
import { haveProgram, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const PATTERN = new Uint8Array(64 * 512).map((_, i) => (i * 7 + 3) & 0xff);

Deno.test("werror=stop pauses at an injected error, says so, and cont retries the request", async () => {
  await using folder = await TempFolder.make();
  const filename = folder.file("disk.qcow2");
  await createImage({ filename, format: "qcow2", size: 4 * MiB });
  {
    await using vm = await Vm.start({
      nodefaults: true,
      drives: [
        [
          "if=ide,werror=stop,rerror=stop,driver=qcow2,file.driver=blkdebug",
          `file.image.driver=file,file.image.filename=${filename}`,
          "file.inject-error.0.event=write_aio,file.inject-error.0.errno=5,file.inject-error.0.once=on",
        ].join(","),
      ],
    });
    const guest = await IdeGuest.detect(vm.guest);
    const stopped = vm.event("STOP");
    const write = guest.disk(0, 0).writeDma(100, PATTERN);
    await stopped;
    assertEquals((await vm.info.status()).status, "io-error");
    assertEquals(await vm.monitor("info status"), "VM status: paused (io-error)\n");
    assertEquals(await Promise.race([write.then(() => "ended"), Promise.resolve("waiting")]), "waiting");
    await vm.cont();
    await write;
    assertEquals(await guest.disk(0, 0).readDma(100, 64), PATTERN);
  }
  await using image = await openImage(filename);
  assertEquals(await image.read(100 * 512, PATTERN.length), PATTERN);
});

Deno.test("werror=report tells the guest, which goes on", async () => {
  await using folder = await TempFolder.make();
  const filename = folder.file("disk.raw");
  await createImage({ filename, format: "raw", size: 1 * MiB });
  await using vm = await Vm.start({
    nodefaults: true,
    drives: [
      `if=ide,werror=report,driver=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename=${filename},` +
      "file.inject-error.0.event=write_aio,file.inject-error.0.errno=5,file.inject-error.0.once=on",
    ],
  });
  const guest = await IdeGuest.detect(vm.guest);
  const answer = await guest.disk(0, 0).writeDma(0, PATTERN).then(() => "written", (error) => String(error));
  assertMatch(answer, /WRITE DMA/);
  assertEquals((await vm.info.status()).status, "running");
  await guest.disk(0, 0).writeDma(0, PATTERN);
  assertEquals(await guest.disk(0, 0).read(0, 64), PATTERN);
});

// Mounting needs root, which a container's CI has and a developer need not have.
const canMount = haveProgram("mount") && Deno.uid() === 0;

Deno.test({
  name: "a full file system pauses the machine; with space again, cont loses nothing",
  ignore: !canMount,
  fn: async () => {
    await using folder = await TempFolder.make();
    const mountPoint = folder.file("small");
    await Deno.mkdir(mountPoint);
    const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", mountPoint]);
    if (mounted.code !== 0) return console.error(`skipped: no tmpfs here: ${mounted.stderr}`);
    try {
      const filename = `${mountPoint}/disk.qcow2`;
      const filler = `${mountPoint}/filler`;
      await createImage({ filename, format: "qcow2", size: 8 * MiB });
      await Deno.writeFile(filler, new Uint8Array(1 * MiB));
      {
        await using vm = await Vm.start({ nodefaults: true, drives: [`file=${filename},if=ide`] });
        const guest = await IdeGuest.detect(vm.guest);
        const disk = guest.disk(0, 0);
        const stopped = vm.event("STOP");
        // More than fits beside the filler, less than fits without it.
        const lanes = 40;
        const writing = (async () => {
          for (let i = 0; i < lanes; i++) await disk.writeDma(i * 64, PATTERN);
          await disk.flush();
        })();
        await stopped;
        assertEquals(await vm.monitor("info status"), "VM status: paused (io-error)\n");
        await Deno.remove(filler);
        await vm.cont();
        await writing;
        for (let i = 0; i < lanes; i++) assertEquals(await disk.readDma(i * 64, 64), PATTERN);
      }
      if (haveProgram("qemu-img")) {
        const check = await run("qemu-img", ["check", filename]);
        assertEquals([check.code, check.stderr], [0, ""]);
      }
      await using image = await openImage(filename);
      assertEquals(await image.read(39 * 64 * 512, PATTERN.length), PATTERN);
    } finally {
      await run("umount", [mountPoint]);
    }
  },
});

Deno.test("a locked image is told with its name, to a script that sees nothing but the message", async () => {
  await using folder = await TempFolder.make();
  const filename = folder.file("disk.qcow2");
  await createImage({ filename, format: "qcow2", size: 1 * MiB });
  await using _image = await openImage(filename);
  const help = `Failed to get "write" lock\nIs another process using the image [${filename}]?`;
  assertEquals((await assertRejects(() => openImage(filename), BlockError)).message, help);
  assertEquals((await assertRejects(() => Vm.start({ hda: filename }), Error)).message, `-hda ${filename}: ${help}`);
});
