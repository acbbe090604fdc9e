/**
 * Encrypted drives of a machine, beside qemu-system-x86_64: secrets by `-object`, what is refused, and in which words.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createImage, openImage, Vm } from "../../mod.ts";
import { runMoaSystem, type SystemRequest } from "../support/moa_system.ts";
import { runMoaImg } from "../support/moa_img.ts";
import { haveProgram, run } from "../support/programs.ts";
import { wordsOf } from "../support/side_by_side.ts";
import { TempFolder } from "../support/temp.ts";

const MACHINE = "-nodefaults -monitor stdio -S -display none -object secret,id=s,data=abc";

const ROWS = [
  "-drive file=aes,if=none",
  "-drive file=aes,if=none,encrypt.key-secret=s",
  "-blockdev driver=qcow2,file.driver=file,file.filename=luks.q,encrypt.format=xx,node-name=n",
  "-blockdev driver=qcow2,file.driver=file,file.filename=luks.q,encrypt.key-secret=s,node-name=n",
  "-blockdev driver=qcow2,file.driver=file,file.filename=aes,encrypt.format=aes,encrypt.key-secret=s,node-name=n",
  "-blockdev driver=luks,file.driver=file,file.filename=luks,key-secret=q,node-name=n",
  "-drive file=luks,if=none",
  "-drive file=luks,if=none,key-secret=q",
  "-drive file=luks.q,if=none",
  "-object foo,id=x",
  "-object secret,data=x",
  "-object secret,id=s,data=x",
  "-object secret,help",
];

Deno.test("a script makes and opens encrypted images and drives with objects", async () => {
  await using folder = await TempFolder.make();
  const filename = `${folder.path}/image`;
  const objects = ["secret,id=s,data=abc"];
  const values = { "encrypt.format": "luks", "encrypt.key-secret": "s", "encrypt.iter-time": 1 };
  await createImage({ filename, format: "qcow2", size: 1 << 20, values }, { objects });
  const data = new Uint8Array(512).fill(7);
  const described = {
    driver: "qcow2",
    file: { driver: "file", filename },
    encrypt: { format: "luks", "key-secret": "s" },
  } as const;
  {
    await using image = await openImage(described, { objects });
    await image.write(1000, data);
  }
  await assertRejects(() => openImage(described), Error, "No secret with id 's'");
  const drives = [`file=${filename},if=none,id=d,encrypt.key-secret=s`];
  await using vm = await Vm.start({ objects, drives, paused: true });
  assertStringIncludes(await vm.monitor("info block d"), "(qcow2, encrypted)");
});

Deno.test({
  name: "encrypted drives are refused as QEMU refuses them, and opened with their secret",
  ignore: !haveProgram("qemu-system-x86_64"),
  fn: async () => {
    await using folder = await TempFolder.make();
    const cwd = folder.path;
    const made = await runMoaImg([
      "create -q -f luks --object secret,id=s,data=abc -o key-secret=s,iter-time=1 luks 1M",
      "create -q -f qcow2 --object secret,id=s,data=abc -o encrypt.format=aes,encrypt.key-secret=s aes 1M",
      "create -q -f qcow2 --object secret,id=s,data=abc -o " +
      "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=1 luks.q 1M",
    ].map((row) => ({ folder: cwd, args: wordsOf(row) })));
    assertEquals(made.map(({ code, stderr }) => [code, stderr]), made.map(() => [0, ""]));
    const request = (row: string): SystemRequest => ({
      folder: cwd,
      name: "qemu-system-x86_64",
      args: wordsOf(`${MACHINE} ${row}`),
      stdin: "quit\n",
    });
    const ours = await runMoaSystem(ROWS.map(request));
    for (const [index, row] of ROWS.entries()) {
      const real = await run("qemu-system-x86_64", wordsOf(`-accel tcg ${MACHINE} ${row}`), { cwd, stdin: "quit\n" });
      const mine = ours[index]!;
      assertEquals([mine.code, mine.stdout, mine.stderr], [real.code, real.stdout, real.stderr], row);
    }
    // Node names end in two digits of chance, and QEMU's prompt shows its editing.
    const shown = (text: string) => /^d \(.*$/m.exec(text)![0].replace(/#block\d+/, "#block");
    const typed = { ...request("-drive file=luks,if=none,id=d,key-secret=s"), stdin: "info block\nquit\n" };
    const real = await run("qemu-system-x86_64", ["-accel", "tcg", ...typed.args], { cwd, stdin: typed.stdin });
    assertEquals(shown((await runMoaSystem([typed]))[0]!.stdout), shown(real.stdout));
    const opened = await runMoaSystem([
      "-drive file=luks,if=none,key-secret=s",
      "-drive file=luks.q,encrypt.key-secret=s",
      "-blockdev driver=luks,file.driver=file,file.filename=luks,key-secret=s,node-name=n -device ide-hd,drive=n",
    ].map(request));
    assertEquals(opened.map(({ code, stderr }) => [code, stderr]), opened.map(() => [0, ""]));
  },
});
