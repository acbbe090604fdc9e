/**
 * `-display curses` and the prompt on a real terminal, which tmux plays.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { haveProgram, must, run } from "../../tests/support/programs.ts";
import { haveSeaBios } from "../../tests/guests/boot_sector.ts";
import { TempFolder } from "../../tests/support/temp.ts";

const ENTRY = new URL("../moa.ts", import.meta.url).pathname;
const LIMIT_MS = 60_000;

/** Waits until the terminal shows `text`; the whole of what it shows. */
async function shows(tmux: (...args: string[]) => Promise<string>, text: string): Promise<string> {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const screen = await tmux("capture-pane", "-p", "-e");
    if (screen.includes(text)) return screen;
    if (Date.now() > end) throw new Error(`the terminal never showed ${text}, but:\n${screen}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

Deno.test({
  name: "curses: firmware's screen, the monitor on Alt-2, the terminal as it was at the end",
  ignore: !haveProgram("tmux"),
  async fn() {
    await using folder = await TempFolder.make();
    const disk = folder.file("disk.img");
    await Deno.writeFile(disk, new Uint8Array(2 ** 20));
    const socket = folder.file("tmux");
    const tmux = (...args: string[]) => must("tmux", ["-S", socket, ...args]);
    const moa = `${Deno.execPath()} run -q --no-prompt --frozen -A ${ENTRY} system`;
    const line = `${moa} -accel v86 -display curses -net none -drive file=${disk},format=raw`;
    await tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", `echo before; ${line}; cat`);
    try {
      await shows(tmux, "ootable");
      await tmux("send-keys", "M-2");
      await shows(tmux, "(qemu)");
      // Ctrl-C is a key like others; the program lives on.
      await tmux("send-keys", "C-c");
      await tmux("send-keys", "info status", "Enter");
      await shows(tmux, "VM status: running");
      await tmux("resize-window", "-x", "90", "-y", "26");
      await tmux("send-keys", "M-1");
      await shows(tmux, "ootable");
      await tmux("send-keys", "M-2");
      await shows(tmux, "VM status: running");
      await tmux("send-keys", "quit", "Enter");
      const end = await shows(tmux, "before");
      assertEquals(end.includes("(qemu)"), false);
    } finally {
      await tmux("kill-server");
    }
  },
});

Deno.test("curses without a terminal, or with standard input taken, is refused", async () => {
  const moa = (...args: string[]) =>
    run(Deno.execPath(), ["run", "-q", "--no-prompt", "--frozen", "-A", ENTRY, "system", "-S", ...args]);
  const refused = await moa("-display", "curses", "-nodefaults");
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, "standard input and output are no terminal");
  const taken = await moa("-display", "curses", "-nodefaults", "-monitor", "stdio");
  assertStringIncludes(taken.stderr, "cannot use stdio with -display curses");
});

Deno.test({
  name: "stopped by Ctrl-Z and brought back by fg, the prompt is what it was",
  ignore: !haveProgram("tmux") || !haveProgram("bash"),
  async fn() {
    await using folder = await TempFolder.make();
    const tmux = (...args: string[]) => must("tmux", ["-S", folder.file("tmux"), ...args]);
    await tmux("-f", "/dev/null", "new-session", "-d", "-x", "160", "LC_ALL=C bash --norc --noprofile");
    try {
      const moa = `${Deno.execPath()} run -q --no-prompt --frozen -A ${ENTRY} system -nodefaults -S -monitor stdio`;
      await tmux("send-keys", moa, "Enter");
      await shows(tmux, "(qemu)");
      await tmux("send-keys", "info versio", "C-z");
      await shows(tmux, "Stopped");
      // What is seen afterwards was drawn afterwards.
      await tmux("send-keys", "clear; echo cle''ared; fg", "Enter");
      await shows(tmux, "cleared");
      await shows(tmux, "(qemu) info versio");
      await tmux("send-keys", "n", "Enter");
      await shows(tmux, "7.2.");
      // Ctrl-D is no end of input here.
      await tmux("send-keys", "C-d", "info status", "Enter");
      await shows(tmux, "VM status: paused (prelaunch)");
    } finally {
      await tmux("kill-server");
    }
  },
});

for (
  const [how, shown] of [["-monitor stdio", "(qemu)"], ["-nographic", "ootable"], [
    "-display curses",
    "ootable",
  ]] as const
) {
  Deno.test({
    name: `a terminal that goes away while ${how} has it: all is closed, nothing fails`,
    ignore: !haveProgram("tmux") || !haveSeaBios(), // which says on the serial port, too, what it does
    async fn() {
      await using folder = await TempFolder.make();
      const [disk, socket, pidfile, said] = ["disk.img", "tmux", "pid", "said"].map((name) => folder.file(name));
      await Deno.writeFile(disk!, new Uint8Array(2 ** 20));
      const tmux = (...args: string[]) => must("tmux", ["-S", socket!, ...args]);
      const moa = `${Deno.execPath()} run -q --no-prompt --frozen -A ${ENTRY} system -accel v86 -net none`;
      // What is said at the end goes to a file, since nobody looks at the terminal any more.
      const line = `exec ${moa} ${how} -drive file=${disk},format=raw -pidfile ${pidfile} 2> ${said}`;
      await tmux("-f", "/dev/null", "new-session", "-d", line);
      try {
        await shows(tmux, shown);
      } finally {
        await tmux("kill-server");
      }
      const end = Date.now() + LIMIT_MS;
      while ([...Deno.readDirSync(folder.path)].some(({ name }) => name === "pid")) {
        if (Date.now() > end) throw new Error(`it never ended; it said: ${Deno.readTextFileSync(said!)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assertEquals(await Deno.readTextFile(said!), "moa: terminating on signal 1\n");
    },
  });
}
