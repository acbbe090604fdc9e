import { assertEquals, assertStringIncludes } from "@std/assert";
import { VcChardev } from "../chardev/vc.ts";
import { CursesDisplay } from "./curses.ts";

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

function display(consoles: VcChardev[], size = { columns: 90, rows: 26 }) {
  const pressed: string[] = [];
  const drawn: string[] = [];
  const curses = new CursesDisplay({
    size: () => size,
    write: (text) => void drawn.push(text),
    card: undefined,
    consoles,
    press: (keys) => void pressed.push(keys.join("-")),
  });
  return { curses, pressed, drawn };
}

Deno.test("keys of a terminal are the guest's keys", () => {
  const { curses, pressed } = display([]);
  const typed = [
    "a",
    "A",
    "\r",
    "\x7f",
    "\x03",
    "\x1b",
    "\x1b[A",
    "\x1bOP",
    "\x1b[24~",
    "\x1bx",
    "\x1b[3~",
    "\xe4",
    "\x1b[99~",
  ];
  for (const text of typed) curses.typed(bytes(text));
  curses.typed(bytes("l\x1b[Dr"));
  assertEquals(
    pressed,
    ["a", "shift-a", "ret", "backspace", "ctrl-c", "esc", "up", "f1", "f12", "alt-x", "delete", "l", "left", "r"],
  );
});

Deno.test("Alt and a digit show a console, whose keys go to its frontend; only what changed is drawn", async () => {
  await using console = new VcChardev("console");
  const got: number[] = [];
  using line = console.connect({ room: () => 100, receive: (part) => void got.push(...part) });
  const { curses, pressed, drawn } = display([console]);
  curses.open();
  assertStringIncludes(drawn.join(""), "This VM has no graphic display device.");
  line.write(bytes("one\r\ntwX\bo\x1b[K\x1b[1;31m!\x1b[0m"));
  curses.typed(bytes("\x1b2"));
  const shown = drawn.splice(0).join("");
  // In the middle of the terminal: one row and five columns are left free.
  assertStringIncludes(shown, "\x1b[2;6Hone");
  assertStringIncludes(shown, "\x1b[3;6Htwo!");
  assertEquals(shown.endsWith("\x1b[3;10H\x1b[?25h"), true);
  curses.draw();
  assertEquals(drawn, []);
  line.write(bytes("?"));
  curses.draw();
  assertEquals(drawn.splice(0), ["\x1b[3;1H\x1b[0m\x1b[2K\x1b[3;6Htwo!?\x1b[0m\x1b[3;11H\x1b[?25h"]);
  curses.typed(bytes("\x1b9q\x1b[A"));
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([got, pressed], [[...bytes("q\x1b[A")], []]);
  curses.close();
  assertEquals(drawn, ["\x1b[0m\x1b[?25h\x1b[?1049l"]);
});

Deno.test("a console keeps its last lines, and takes whatever is written to it", async () => {
  await using console = new VcChardev("console");
  using line = console.connect({ room: () => 0, receive() {} });
  for (let i = 0; i < 100; i++) line.write(bytes(`\r\nline ${i}`));
  assertEquals([console.lines.length, console.lines.at(-1), console.lines[0]], [24, "line 99", "line 76"]);
  line.write(bytes("\r\x1b[J" + "x".repeat(85)));
  assertEquals(console.lines, ["x".repeat(80), "x".repeat(5)]);
  // Nobody takes what is typed: it is dropped beyond a limit.
  for (let i = 0; i < 100; i++) console.type(new Uint8Array(1000));
  let seed = 1;
  for (let i = 0; i < 20_000; i++) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    line.write(new Uint8Array([seed >> 8 & 0x7f, 0x1b, 0x5b, 0x30 + (seed & 15), 0x40 + (seed >> 16 & 31)]));
  }
  const { column, row } = console.cursor;
  assertEquals([column >= 0 && column < 80, row >= 0 && row < 24, console.lines.length <= 24], [true, true, true]);
});
