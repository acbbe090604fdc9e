import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { withoutLeaks } from "../../../tests/support/fds.ts";
import { haveProgram, must, run } from "../../../tests/support/programs.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import { BlockError } from "../../errors.ts";
import { openFileDriver } from "./make.ts";
import { openTestFile, testContext } from "./test_context.ts";

/** What the real program says of a driver and its options, without its prefix. */
async function oracle(options: string): Promise<string> {
  const { stderr } = await run("qemu-img", ["info", "--image-opts", options], { timeoutMs: 60_000 });
  return stderr.replace(/^qemu-img: Could not open '[^']*': /, "").trimEnd();
}

Deno.test({
  name: "what cannot be opened is refused in the same words",
  ignore: !haveProgram("qemu-img"),
  fn: () =>
    withoutLeaks(async () => {
      await using temp = await TempFolder.make();
      const plain = await temp.write("plain", "x");
      await Deno.mkdir(temp.file("folder"));
      const rows = [
        { driver: "file", filename: temp.file("missing") },
        { driver: "file", filename: temp.file("folder") },
        { driver: "file", filename: `${plain}/below` },
        { driver: "file", filename: "/dev/null" },
        { driver: "host_device", filename: plain },
        { driver: "host_device", filename: temp.file("folder") },
        { driver: "host_cdrom", filename: plain },
        { driver: "file", filename: plain, aio: "native" },
        { driver: "file", filename: plain, aio: "other" },
        { driver: "file", filename: plain, locking: "other" },
        { driver: "file", filename: plain, "pr-manager": "other" },
        { driver: "file" },
      ];
      for (const row of rows) {
        const text = Object.entries(row).map(([key, value]) => `${key}=${value}`).join(",");
        const options = row as Parameters<typeof openFileDriver>[1];
        const error = await assertRejects(
          () => openFileDriver(options.driver, options, testContext({ readOnly: true })),
          BlockError,
        );
        assertEquals(error.message, await oracle(text), text);
      }
    }),
});

Deno.test("a folder cannot be written, a FIFO is not waited for, a name with a zero byte is none", () =>
  withoutLeaks(async () => {
    await using temp = await TempFolder.make();
    const folder = temp.file("folder");
    await Deno.mkdir(folder);
    await assertRejects(() => openTestFile(folder), BlockError, `Could not open '${folder}': Is a directory`);
    const fifo = temp.file("fifo");
    await must("mkfifo", [fifo]);
    const text = `'file' driver requires '${fifo}' to be a regular file`;
    await assertRejects(() => openTestFile(fifo), BlockError, text);
    await assertRejects(() => openTestFile(fifo, { context: { readOnly: true } }), BlockError, text);
    await assertRejects(() => openTestFile("a\0b"), BlockError, "No such file or directory");
  }));

Deno.test("with auto-read-only a file on a read-only file system is opened for reading", async () => {
  // nothing may be written below /proc/sys/kernel/ostype, not even by root
  const path = "/proc/sys/kernel/ostype";
  const error = await assertRejects(() => openTestFile(path), BlockError);
  assertStringIncludes(error.message, `Could not open '${path}': `);
  await using file = await openTestFile(path, { context: { autoReadOnly: true } });
  assert(file.readOnly);
});

Deno.test("closing twice does no harm, and lets go of everything", () =>
  withoutLeaks(async () => {
    await using temp = await TempFolder.make();
    const path = await temp.write("disk", new Uint8Array(512));
    const file = await openTestFile(path);
    await file.flush();
    await file[Symbol.asyncDispose]();
    await file[Symbol.asyncDispose]();
  }));

Deno.test("without the C library reads and writes work, and it is said what is lost", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(4096).fill(5));
  const here = new URL(".", import.meta.url);
  const script = `
    import { file } from "${new URL("../file.ts", here)}";
    import { IoVector } from "${new URL("../../../base/io_vector.ts", here)}";
    import { HostClock } from "${new URL("../../../base/clocks.ts", here)}";
    import { SeededRandom } from "${new URL("../../../base/random.ts", here)}";
    const clock = new HostClock();
    const context = (changes) => ({ nodeName: "n", readOnly: false, cacheDirect: false, cacheNoFlush: false,
      clocks: { virtual: clock, realtime: clock, host: clock }, random: new SeededRandom(1),
      warn: (line) => console.log(line), ...changes });
    const filename = ${JSON.stringify(path)};
    {
      await using disk = await file.open({ driver: "file", filename }, context({}));
      await disk.write(512, IoVector.of(new Uint8Array(1024).fill(6)));
      await disk.flush();
      const back = new Uint8Array(2048);
      await disk.read(0, IoVector.from([back.subarray(0, 100), back.subarray(100)]));
      console.log(back[511], back[512], back[1535], back[1536], (await disk.status(0, 4096)).kind);
      await disk.writeZeroes(0, 512).catch((error) => console.log(error.errno));
      await disk.truncate(8192);
      const tail = new Uint8Array(8);
      await disk.read(8190, IoVector.of(tail.fill(1)));
      console.log(disk.size, tail.join(""));
    }
    await file.open({ driver: "file", filename }, context({ cacheDirect: true })).catch((e) => console.log(e.message));
    await file.open({ driver: "file", filename: "/nowhere/at/all" }, context({})).catch((e) => console.log(e.message));
    await file.create({ size: 1000 }, { filename: filename + "2" });
    console.log((await Deno.stat(filename + "2")).size);
  `;
  const main = await temp.write("main.ts", script);
  // node:fs asks for the whole of "read" where a path cannot be resolved
  const output = await must(Deno.execPath(), [
    "run",
    "--no-prompt",
    "--no-lock",
    "--no-check",
    "--config",
    new URL("../../../deno.json", here).pathname,
    "--allow-read",
    "--allow-write",
    main,
  ]);
  assertEquals(output.split("\n"), [
    `'${path}': without the C library there is no image locking, no holes are made or seen; run with --allow-ffi`,
    "5 6 6 5 data",
    "ENOTSUP",
    "8192 00000000",
    "cache.direct=on needs the C library: run with --allow-ffi",
    "Could not open '/nowhere/at/all': No such file or directory",
    "1024",
    "",
  ]);
});
