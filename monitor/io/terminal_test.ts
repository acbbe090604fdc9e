import { assertEquals } from "@std/assert";
import { PassThrough } from "node:stream";
import { TempFolder } from "../../tests/support/temp.ts";
import { type IoScreen, serveIoTerminal } from "./terminal.ts";

/** Types each of `steps` when the screen has shown what came of the last; hands back the lines that were run. */
async function typed(
  steps: readonly (readonly [keys: string, shows: string])[],
  environment: Readonly<Record<string, string>>,
): Promise<string[]> {
  const screen = new PassThrough();
  let text = "";
  let seen = 0;
  let wake = () => {};
  screen.on("data", (piece: Uint8Array) => {
    text += new TextDecoder().decode(piece);
    wake();
  });
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const keys = new ReadableStream<Uint8Array>({ start: (own) => void (controller = own) });
  const ran: string[] = [];
  const where: IoScreen = { print() {} };
  const session = {
    ended: false,
    names: ["length", "open", "quit"],
    run(line: string) {
      ran.push(line);
      where.print(`ran ${line}\n`);
      if (line.trim() === "quit") session.ended = true;
      return Promise.resolve();
    },
  };
  const served = serveIoTerminal({ keys, screen, setRaw() {} }, session, where, { get: (name) => environment[name] });
  for (const [press, shows] of [["", "qemu-io> "] as const, ...steps]) {
    if (press !== "") controller.enqueue(new TextEncoder().encode(press));
    while (!text.slice(seen).includes(shows)) await new Promise<void>((resolve) => wake = resolve);
    seen = text.indexOf(shows, seen) + shows.length;
  }
  controller.enqueue(new TextEncoder().encode("quit\r"));
  await served;
  return ran;
}

Deno.test("a person's lines are edited, completed, and remembered over runs", async () => {
  await using temp = await TempFolder.make();
  await temp.write("disk.img", "");
  const environment = { XDG_STATE_HOME: temp.path };
  const first = await typed([
    ["lengthx\x7f\r", "ran length\r\n"],
    ["qu\t", "quit "],
    [`\x15open ${temp.path}/di\t`, "disk.img "],
    ["\r", "ran open"],
  ], environment);
  assertEquals(first.map((line) => line.trim()), ["length", `open ${temp.path}/disk.img`, "quit"]);
  assertEquals(await Deno.readTextFile(temp.file("moa/io_history")), `length\nopen ${temp.path}/disk.img \nquit\n`);
  assertEquals(await typed([["\x1b[A\x1b[A\x1b[A\r", "ran length"]], environment), ["length", "quit"]);
});
