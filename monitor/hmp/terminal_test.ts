import { assert, assertEquals } from "@std/assert";
import { PassThrough } from "node:stream";
import { testVm } from "../testing.ts";
import { historyPath, loadHistory, saveHistory } from "../transports/history_file.ts";
import { serveTerminal } from "./terminal.ts";

/** A terminal whose keys are typed by a test, each after the screen has shown what came of the last. */
async function typed(
  steps: readonly (readonly [keys: string, shows: string])[],
  history: readonly string[] = [],
): Promise<{ screen: string; history: readonly string[]; interrupted: boolean; raw: boolean[] }> {
  await using vm = await testVm({ drives: ["driver=null-co,if=none,id=disk0"] });
  const screen = new PassThrough();
  let text = "";
  let seen = 0;
  let wake = () => {};
  screen.on("data", (piece: Uint8Array) => {
    text += new TextDecoder().decode(piece);
    wake();
  });
  const raw: boolean[] = [];
  let interrupted = false;
  const ending = new AbortController();
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const keys = new ReadableStream<Uint8Array>({ start: (own) => void (controller = own) });
  const session = serveTerminal({ keys, screen, setRaw: (on) => void raw.push(on) }, vm.hmp, {
    history,
    onInterrupt: () => void (interrupted = true),
    signal: ending.signal,
  });
  for (const [press, shows] of [["", "(qemu) "] as const, ...steps]) {
    if (press !== "") controller.enqueue(new TextEncoder().encode(press));
    while (!text.slice(seen).includes(shows)) await new Promise<void>((resolve) => wake = resolve);
    seen = text.indexOf(shows, seen) + shows.length;
  }
  ending.abort();
  return { screen: text, history: await session, interrupted, raw };
}

Deno.test("a line is edited, run, and remembered; the terminal is left as it was", async () => {
  const { history, raw } = await typed([
    ["info statuz\x7fs\r", "VM status: paused (prelaunch)\r\n"],
    ["\x1b[A\r", "VM status: paused (prelaunch)\r\n"],
  ], ["info block"]);
  assertEquals(history, ["info block", "info status"]);
  assertEquals(raw, [true, false]);
});

Deno.test("Ctrl-D deletes, and does nothing on an empty line", async () => {
  const { interrupted } = await typed([
    ["\x04\x04info xstatus\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x04\r", "VM status: paused (prelaunch)\r\n"],
    ["\x04", ""],
    ["info version\r", "7.2"],
  ]);
  assertEquals(interrupted, false);
});

Deno.test("Tab completes commands, subjects of info, and drives", async () => {
  await typed([
    ["qui\t", "quit "],
    ["\x15info ver\t", "version"],
    ["\x15info block di\t", "disk0"],
  ]);
});

Deno.test("Ctrl-R finds a line of an earlier run; Enter runs it, Ctrl-G gives up", async () => {
  const { history } = await typed([
    ["\x12", "(reverse-i-search)`'"],
    ["vers", "(reverse-i-search)`vers': info version"],
    ["\r", "7.2.22"],
    ["\x12zzz", "(failed reverse-i-search)`zzz': "],
    ["\x07", "(qemu) "],
  ], ["info version", "info status"]);
  assertEquals(history.at(-1), "info version");
});

Deno.test("Ctrl-R again goes further back", async () => {
  await typed([
    ["\x12info", "`info': info status"],
    ["\x12", "`info': info version"],
    ["\x1b[C", "info version"],
  ], ["info version", "info status"]);
});

Deno.test("Ctrl-C is told", async () => {
  const { interrupted } = await typed([["\x03info name\r", "(qemu) "]]);
  assert(interrupted);
});

Deno.test("history is kept in a file of the user's, and missing files are no trouble", async () => {
  assertEquals(
    historyPath({ get: (name) => name === "HOME" ? "/home/u" : undefined }),
    "/home/u/.local/state/moa/history",
  );
  assertEquals(historyPath({ get: (name) => name === "XDG_STATE_HOME" ? "/s" : "/h" }), "/s/moa/history");
  assertEquals(historyPath({ get: () => undefined }), undefined);
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/a/b/history`;
    assertEquals(await loadHistory(path), []);
    await saveHistory(path, ["one", "two"]);
    assertEquals(await loadHistory(path), ["one", "two"]);
    await saveHistory("/proc/nowhere/history", ["one"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
