/**
 * Devices, character devices and what management programs ask first, side by side: the same requests to moa and to the
 * real program, every line compared.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram } from "../support/programs.ts";
import { qmpDialogue } from "../support/qmp_dialogue.ts";
import { TempFolder } from "../support/temp.ts";

const QEMU = "qemu-system-x86_64";

/** A request as one line. */
function ask(execute: string, data?: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(data === undefined ? { execute } : { execute, arguments: data });
}

const prompt = (line: string) => ask("human-monitor-command", { "command-line": line });
const add = (data: Readonly<Record<string, unknown>>) => ask("device_add", data);
const del = (id: string) => ask("device_del", { id });

interface Dialogue {
  readonly name: string;
  readonly args: readonly string[];
  readonly requests: readonly string[];
}

const DIALOGUES: readonly Dialogue[] = [
  {
    name: "devices that cannot come or go",
    args: [
      ..."-drive if=none,id=d0,driver=null-co -device ide-hd,drive=d0,id=h0".split(" "),
      ..."-blockdev null-co,node-name=n0".split(" "),
    ],
    requests: [
      add({ driver: "ide-hd", id: "x", drive: "n0" }),
      add({ driver: "foo" }),
      ask("device_add"),
      add({ driver: 5 }),
      add({ driver: "ide-hd", bus: "ide.7", drive: "n0" }),
      add({ driver: "isa-fdc" }),
      del("nope"),
      del("h0"),
      del("/machine/peripheral/h0"),
      del("/machine/unattached/device[0]"),
      del("/machine"),
      ask("device_del"),
      prompt("device_add ide-hd,drive=n0"),
      prompt("device_add foo"),
      prompt("device_add"),
      prompt("device_del"),
      prompt("device_del h0"),
      prompt("device_del nope"),
    ],
  },
];

for (const { name, args, requests } of DIALOGUES) {
  Deno.test({
    name: `QMP as QEMU's: ${name}`,
    ignore: !haveProgram(QEMU),
    async fn() {
      const sides = await Promise.all([QEMU, "moa"].map(async (program) => {
        await using temp = await TempFolder.make();
        const all = ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", ...args, "-qmp", "stdio"];
        return await qmpDialogue(program, { name: QEMU, args: all, folder: temp.path }, requests);
      }));
      const [theirs, ours] = sides as [typeof sides[0], typeof sides[0]];
      for (let i = 0; i < requests.length; i++) assertEquals(ours[i], theirs[i]);
    },
  });
}
