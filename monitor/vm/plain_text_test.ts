import { assertEquals } from "@std/assert";
import { PlainText } from "./plain_text.ts";

/** What is left of `text`, in one piece and character by character. */
function plain(text: string): string {
  const whole = new PlainText().push(text);
  const pieces = new PlainText();
  assertEquals([...text].map((char) => pieces.push(char)).join(""), whole);
  return whole;
}

Deno.test("of what is meant for a terminal the letters are left", () => {
  for (
    const [text, left] of [
      ["nothing special: é \t\r\n", "nothing special: é \t\r\n"],
      ["moa# \x1b[6n", "moa# "],
      ["\x1b]0;root@guest: ~\x07\x1b[01;32mroot@guest\x1b[00m:\x1b[01;34m~\x1b[00m# ", "root@guest:~# "],
      ["\x1b]8;;file:///x\x1b\\link\x1b]8;;\x1b\\.", "link."],
      ["[\x1b[0;32m  OK  \x1b[0m] Started", "[  OK  ] Started"],
      ["\x1bc\x1b[?7l\x1b[2J\x1b[10;20HFormatting\x1b[11;20H/dev/sda1", "\nFormatting\n/dev/sda1"],
      ["Mounting\x1b[73Gdone\x1b[K", "Mounting done"],
      ["\x1b(B\x1b)0\x1b7x\x1b8", "x"],
      ["\x1b[3\nx", "\n"],
      ["a\x1b\x1b[1mb\x1b[\x1b[0mc", "abc"],
    ] as const
  ) assertEquals(plain(text), left);
});

Deno.test("a string that does not end takes no more than its share", () => {
  const text = new PlainText();
  assertEquals(text.push(`\x1b]${"x".repeat(10_000)}`).length, 10_000 - 4095);
  assertEquals(text.push("login: "), "login: ");
});
