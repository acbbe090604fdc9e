/**
 * `-daemonize`, as a user meets it: the first process ends when the machine stands, the second one lives on.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { must, run } from "../../tests/support/programs.ts";
import { TempFolder } from "../../tests/support/temp.ts";

const ENTRY = new URL("../moa.ts", import.meta.url).pathname;

/** With the permissions of `deno task start`, which has none to run programs. */
function start(folder: string, name: string, ...args: string[]) {
  return run(Deno.execPath(), ["run", "-q", "--no-prompt", "-P=start", ENTRY, ...args], {
    env: { MOA_ARGV0: name, INIT_CWD: folder },
    timeoutMs: 60_000,
  });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; !await holds(); i++) {
    assert(i < 3000, "it does not come to pass");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function gone(path: string): Promise<boolean> {
  return (await run("test", ["-e", path])).code !== 0;
}

Deno.test("a daemon: pid file, monitor socket, outputs let go, SIGTERM closes all", async () => {
  await using temp = await TempFolder.make();
  await temp.write("d.raw", new Uint8Array(1 << 20));
  // The outputs are pipes that are read to their end: that comes only if nobody holds them any more.
  const first = await start(
    temp.path,
    "qemu-system-x86_64",
    ...["--daemonize", "-S", "-smp", "2", "-pidfile", "pid", "-drive", "file=d.raw,format=raw"],
    ...["-monitor", "unix:m,server=on,wait=off"],
  );
  assertEquals([first.code, first.stdout, first.timedOut], [0, "", false]);
  assertEquals(first.stderr, "qemu-system-x86_64: warning: -smp 2: the machine gets one CPU\n");
  const pid = Number(await Deno.readTextFile(temp.file("pid")));
  try {
    // Asked of other programs: Deno keeps /proc to those who may do everything.
    const standard = [0, 1, 2].map((descriptor) => `/proc/${pid}/fd/${descriptor}`);
    assertEquals(await must("readlink", standard), "/dev/null\n".repeat(3));
    const session = (await must("cat", [`/proc/${pid}/stat`])).split(") ")[1]!.split(" ")[3];
    assertEquals(session, String(pid));
    using monitor = await Deno.connect({ transport: "unix", path: temp.file("m") });
    await monitor.write(new TextEncoder().encode('qemu-io ide0-hd0 "write -P 0x5a 0 4k"\n'));
    let heard = "";
    const piece = new Uint8Array(4096);
    while (!heard.includes("wrote 4096/4096")) {
      const got = await monitor.read(piece);
      assertNotEquals(got, null);
      heard += new TextDecoder().decode(piece.subarray(0, got!));
    }
  } finally {
    Deno.kill(pid, "SIGTERM");
  }
  await until(async () => await gone(temp.file("pid")) && await gone(`/proc/${pid}`));
  assertEquals([...Deno.readDirSync(temp.path)].map(({ name }) => name), ["d.raw"]);
  assertEquals((await Deno.readFile(temp.file("d.raw"))).subarray(0, 4096).every((byte) => byte === 0x5a), true);
});

Deno.test("a daemon that cannot be: its message and status come from the first process", async () => {
  await using temp = await TempFolder.make();
  const strict = "qemu-system-x86_64";
  const rows: [string[], string][] = [
    [["-nographic"], "-nographic cannot be used with -daemonize\n"],
    [["-monitor", "stdio"], "-monitor stdio: cannot use stdio with -daemonize\n"],
    [["-chardev", "stdio,id=c", "-mon", "c"], "-chardev stdio,id=c: cannot use stdio with -daemonize\n"],
    [["-hda", "no.img"], "-hda no.img: Could not open 'no.img': No such file or directory\n"],
  ];
  const results = await Promise.all(rows.map(([args]) => start(temp.path, strict, "-daemonize", ...args)));
  assertEquals(results.map(({ code }) => code), rows.map(() => 1));
  assertEquals(results.map(({ stderr }) => stderr), rows.map(([, text]) => `${strict}: ${text}`));
});
