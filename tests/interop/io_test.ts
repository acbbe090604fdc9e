/**
 * `moa io` and the real qemu-io side by side on equal images: outputs but for times, and exit status.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ignore = !haveProgram("qemu-io");
const MOA = new URL("../../tools/moa.ts", import.meta.url).pathname;

const IMAGES = [
  "qemu-img create -q -f qcow2 a 1M; qemu-img create -q -f raw r 1M",
  "qemu-img create -q -f qcow2 -b a -F qcow2 over",
];

/** A command line: words of qemu-io, separated by `|`; and what is typed. */
interface Row {
  readonly words: string;
  readonly typed?: string;
}

function level(text: string): string {
  return text.replaceAll(/; .* sec \([^)]*\)/g, "; TIME").replaceAll(/[\d.]+,[\d.]+,.*,[\d.]+$/gm, "VALUES");
}

async function sideBySide(rows: readonly Row[], sameData: readonly string[]): Promise<void> {
  await using ours = await TempFolder.make();
  await using theirs = await TempFolder.make();
  for (const command of IMAGES) await must("sh", ["-ec", command], { cwd: theirs.path });
  await must("cp", ["-a", `${theirs.path}/.`, ours.path]);
  const answers: string[] = [];
  const expected: string[] = [];
  for (const { words, typed } of rows) {
    const args = words.split("|").filter((word) => word !== "");
    const stdin = typed ?? "";
    const real = await run("qemu-io", args, { cwd: theirs.path, stdin });
    const mine = await run(Deno.execPath(), ["run", "-q", "-A", MOA, ...args], {
      cwd: ours.path,
      stdin,
      env: { MOA_ARGV0: "qemu-io", INIT_CWD: ours.path },
    });
    expected.push(`${words}\n${real.code}\n${level(real.stdout)}\n${level(real.stderr)}`);
    answers.push(`${words}\n${mine.code}\n${level(mine.stdout)}\n${level(mine.stderr)}`);
  }
  assertEquals(answers, expected);
  for (const image of sameData) await must("qemu-img", ["compare", `${ours.path}/${image}`, `${theirs.path}/${image}`]);
}

Deno.test({
  name: "io: the command line, and opening",
  ignore,
  fn: () =>
    sideBySide([
      { words: "" },
      { words: "-c|read 0 512|a" },
      { words: "-c|read 0 512|-c|write 0 5|missing" },
      { words: "-r|-c|write 0 512|a" },
      { words: "-c|length|r" },
      { words: "-f|raw|-c|write -P 3 4k 8k|-c|read -v 8k 32|r" },
      { words: "-c|read 2M 512|-c|length|a" },
      { words: "-c|nosuch|-c|quit|-c|length|a" },
      { words: "-c|close|-c|length|-c|open a|-c|length|a" },
      { words: "-c|open|-c|open a b|-c|open -x a|-c|open -t foo a|-c|open -d foo a|-c|open -i foo a" },
      { words: "-c|open -r a|-c|open a|-c|write 0 512|-c|close|-c|help open|-c|help close|-c|help quit" },
      { words: "-c|open -n -o driver=qcow2 a|-c|map|-c|close|-c|open -U a|-c|open -o driver=qcow2,file.filename=a" },
      { words: "-c|reopen -r|-c|write 0 512|-c|reopen -w|-c|write -P 4 64k 64k|-c|reopen -r -w|a" },
      { words: "-r|-c|reopen -w|-c|write 0 512|-c|reopen -c none|-c|reopen -c foo|-c|length|a" },
      { words: "-c|reopen -r -o read-only=on|-c|reopen -o nosuch=on|-c|reopen a|a" },
      { words: "-t|foo|a" },
      { words: "-d|foo|a" },
      { words: "-i|foo|a" },
      { words: "-k|-c|length|a" },
      { words: "-U|-c|length|a" },
      { words: "-U|-r|-n|-m|-d|unmap|-c|length|a" },
      { words: "-C|-r|-c|length|a" },
      { words: "-C|-d|off|-c|discard 0 64k|-c|length|over" },
      { words: "-s|-c|write -P 9 0 64k|-c|read -P 9 0 64k|a" },
      { words: "-f|nosuch|-c|length|a" },
      { words: "--image-opts|-c|length|driver=qcow2,file.filename=a" },
      { words: "--image-opts|-f|raw|-c|length|driver=qcow2,file.filename=a" },
      { words: "--object|foo|-c|length|a" },
      { words: "-T|foo|-c|length|a" },
      { words: "-c|help" },
    ], ["a", "r"]),
});

Deno.test({
  name: "io: lines that are typed, and requests",
  ignore,
  fn: () =>
    sideBySide([
      { words: "a", typed: "length\nclose\nlength\nopen a\nnosuch\n\nquit\nlength\n" },
      { words: "a", typed: "length" },
      { words: "a", typed: "info\nmap\nalloc 0 1M\ntruncate 2M\nlength\n" },
      {
        words: "-C|over",
        typed: "aio_write -P 7 0 64k\naio_flush\nread -P 7 0 64k\nread -P 8 0 512\nflush\nsleep 1\n",
      },
      { words: "over", typed: "writev -P 5 64k 4k 4k\nreadv -v 64k 16 16\ndiscard 0 64k\nwrite -z 128k 64k\nmap\n" },
    ], ["a", "over"]),
});
