import { assertEquals } from "@std/assert";
import { LineEditor } from "./editor.ts";

const D = "\x1b[D";
const C = "\x1b[C";
const K = "\x1b[K";

/** Types `keys` and collects what is echoed and which lines come out. */
async function type(
  keys: string,
  options: { complete?: (line: string) => { start: number; candidates: string[] }; before?: string[] } = {},
): Promise<{ echo: string; lines: string[] }> {
  let echo = "";
  const lines: string[] = [];
  const editor = new LineEditor({
    prompt: "(qemu) ",
    write: (text) => void (echo += text),
    onLine: (line) => void lines.push(line),
    ...(options.complete === undefined ? {} : { complete: options.complete }),
  });
  for (const line of options.before ?? []) editor.history.add(line);
  for (const byte of new TextEncoder().encode(keys)) await editor.key(byte);
  return { echo, lines };
}

// What QEMU 7.2 sent back for these keys over a Unix socket, its CR LF written as a newline.

Deno.test("each character shows the whole line again", async () => {
  const { echo, lines } = await type("foo\n");
  assertEquals(echo, `f${K}${D}fo${K}${D}${D}foo${K}\n`);
  assertEquals(lines, ["foo"]);
});

Deno.test("home, end, delete and keys that do nothing", async () => {
  const { echo, lines } = await type("xa\x01b\x05c\x02d\x04\n");
  assertEquals(
    echo,
    `x${K}${D}xa${K}${D}${D}bxa${K}${D}${D}${C}${C}${D}${D}${D}bxac${K}${D}${D}${D}${D}bxacd${K}\n`,
  );
  assertEquals(lines, ["bxacd"]);
});

Deno.test("Ctrl-W takes a word with the blank behind it, Backspace a character, Ctrl-U nothing", async () => {
  assertEquals(
    (await type("in \x17foo\n")).echo,
    `i${K}${D}in${K}${D}${D}in ${K}${D}${D}${D}${K}f${K}${D}fo${K}${D}${D}foo${K}\n`,
  );
  assertEquals(
    (await type("abc\x7f\x7fz\n")).echo,
    `a${K}${D}ab${K}${D}${D}abc${K}${D}${D}${D}ab${K}${D}${D}a${K}${D}az${K}\n`,
  );
  assertEquals((await type("foo\x15bar\n")).lines, ["foobar"]);
});

Deno.test("cursor keys move, Delete deletes, history goes back; a repeated line moves to the end", async () => {
  assertEquals(
    (await type("ab\x1b[Dc\x1b[3~\n")).echo,
    `a${K}${D}ab${K}${D}${D}acb${K}${D}${D}${D}ac${K}\n`,
  );
  const { echo, lines } = await type("\x1b[A\x1b[A\r", { before: ["info status", "foobar", "info status"] });
  assertEquals(echo, `info status${K}${D.repeat(11)}foobar${K}\n`);
  assertEquals(lines, ["foobar"]);
});

Deno.test("Ctrl-L clears the screen; a zero byte and Ctrl-C are dropped; Enter is CR or LF", async () => {
  assertEquals((await type("\x0b\x0ca\n")).echo, `\x1b[2J\x1b[1;1H(qemu) a${K}\n`);
  assertEquals((await type("a\x00b\ra\x03b\n")).lines, ["ab", "ab"]);
});

Deno.test("Tab lists in columns and completes as far as all agree", async () => {
  const words = ["status", "stats"];
  const { echo, lines } = await type("info st\t\n", { complete: () => ({ start: 5, candidates: words }) });
  assertEquals(echo.slice(echo.indexOf("\n")), `\nstats     status    \n(qemu) info stat${K}\n`);
  assertEquals(lines, ["info stat"]);
});

Deno.test("Tab with one candidate ends the word, but not a folder's name", async () => {
  const one = (word: string) => ({ complete: () => ({ start: 0, candidates: [word] }) });
  assertEquals((await type("qu\t\n", one("quit"))).lines, ["quit "]);
  assertEquals((await type("/d\t\n", one("/dev/"))).lines, ["/dev/"]);
  assertEquals((await type("zzz\t\n", { complete: () => ({ start: 0, candidates: [] }) })).lines, ["zzz"]);
});

Deno.test("a line ends at 4095 characters", async () => {
  const { lines } = await type(`${"x".repeat(5000)}\n`);
  assertEquals(lines[0]!.length, 4095);
});
