/**
 * Commands of `moa img` that end before their time (a signal, a kill, a full disk): what they leave never looks finished,
 * and images that were there read as before. The real qemu-img judges.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ignore = !haveProgram("qemu-img") || !haveProgram("qemu-io");
const MAIN = new URL("../../tools/moa.ts", import.meta.url).pathname;
const MOA = ["run", "-q", "-A", "--no-check", MAIN, "img"];

/** Starts a command line, and ends it with `signal` as soon as `ready` says so. Resolves to its status. */
async function endEarly(
  folder: TempFolder,
  args: readonly string[],
  ready: () => Promise<boolean>,
  signal: Deno.Signal,
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...MOA, ...args],
    cwd: folder.path,
    env: { INIT_CWD: folder.path },
    stdout: "null",
    stderr: "null",
  }).spawn();
  let ended = false;
  const ending = child.status.finally(() => ended = true);
  while (!ended && !await ready()) await new Promise((resolve) => setTimeout(resolve, 10));
  if (ended) throw new Error(`${args[0]} ended by itself with ${(await ending).code} before it could be interrupted`);
  child.kill(signal);
  return (await ending).code;
}

/** Bytes that a file takes; 0 where there is none. */
async function allocated(path: string): Promise<number> {
  return await Deno.stat(path).then(({ blocks }) => (blocks ?? 0) * 512, () => 0);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function sourceFolder(): Promise<TempFolder> {
  const folder = await TempFolder.make();
  await must("sh", ["-c", "head -c 16777216 /dev/urandom >source"], { cwd: folder.path });
  return folder;
}

Deno.test({
  name: "interrupted, img convert leaves no qcow2 target; killed, none that opens",
  ignore,
  async fn() {
    await using folder = await sourceFolder();
    const target = folder.file("target");
    // The header names a version that nobody knows from before the first data to the end.
    const ready = async () => (await Deno.readFile(target).catch(() => new Uint8Array()))[4] === 0xff;
    const args = ["convert", "-r", "1M", "-O", "qcow2", "source", "target"];
    assertEquals(await endEarly(folder, args, ready, "SIGTERM"), 143);
    assertEquals(await exists(target), false);
    assertEquals(await endEarly(folder, args, ready, "SIGINT"), 130);
    assertEquals(await exists(target), false);
    assertEquals(await endEarly(folder, args, ready, "SIGKILL"), 137);
    const info = await run("qemu-img", ["info", "target"], { cwd: folder.path });
    assertEquals(info.stderr, "qemu-img: Could not open 'target': Unsupported qcow2 version 4294967295\n");
  },
});

Deno.test({
  name: "interrupted, img convert and dd leave no raw target",
  ignore,
  async fn() {
    await using folder = await sourceFolder();
    const target = folder.file("target");
    const ready = async () => await allocated(target) >= 8192;
    const convert = ["convert", "-r", "1M", "-O", "raw", "source", "target"];
    assertEquals(await endEarly(folder, convert, ready, "SIGTERM"), 143);
    assertEquals(await exists(target), false);
    assertEquals(await endEarly(folder, convert, ready, "SIGINT"), 130);
    assertEquals(await exists(target), false);
    const slow = "driver=null-co,size=1G,latency-ns=20000000,read-zeroes=on";
    const dd = ["dd", "--image-opts", "bs=64k", `if=${slow}`, "of=target"];
    assertEquals(await endEarly(folder, dd, ready, "SIGINT"), 130);
    assertEquals(await exists(target), false);
  },
});

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  Deno.test({
    name: `${signal} in the middle of img commit and rebase leaves a chain that reads as before`,
    ignore,
    async fn() {
      await using folder = await TempFolder.make();
      const cwd = folder.path;
      const shell = (text: string) => must("sh", ["-ec", text], { cwd });
      await shell(
        "qemu-img create -q -f qcow2 base 8M; qemu-io -c 'write -P 1 0 8M' base >/dev/null; " +
          "qemu-img create -q -f qcow2 -b base -F qcow2 top; qemu-io -c 'write -P 2 64k 6M' top >/dev/null; " +
          "qemu-img convert -O raw top flat",
      );
      const whole = async () => {
        await must("qemu-img", ["compare", "-f", "qcow2", "-F", "raw", "top", "flat"], { cwd });
        for (const image of ["top", "base"]) {
          const { code } = await run("qemu-img", ["check", "-q", image], { cwd });
          assert(code === 0 || code === 3, `check of ${image} ended with ${code}`);
        }
      };
      const baseBefore = await Deno.readFile(folder.file("base"));
      const committing = async () => {
        const now = await Deno.readFile(folder.file("base"));
        return now.some((byte, i) => byte !== baseBefore[i]);
      };
      await endEarly(folder, ["commit", "-r", "1M", "top"], committing, signal);
      await whole();
      const before = (await Deno.stat(folder.file("top"))).size;
      const rebasing = async () => (await Deno.stat(folder.file("top"))).size > before;
      const slow = 'json:{"driver":"null-co","size":8388608,"latency-ns":500000000,"read-zeroes":true}';
      await endEarly(folder, ["rebase", "-b", slow, "-F", "null-co", "top"], rebasing, signal);
      await whole();
      assert((await must("qemu-img", ["info", "top"], { cwd })).includes("\nbacking file: base\n"));
    },
  });
}

/** Whether a file system of a few megabytes can be had for a test. */
async function canMount(): Promise<boolean> {
  try {
    return (await run("unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"])).code === 0;
  } catch {
    return false;
  }
}

Deno.test({
  name: "a full disk: qemu-img's words and status, and no target is left",
  ignore: ignore || !await canMount(),
  async fn() {
    await using folder = await sourceFolder();
    const onSmallDisk = async (command: string) => {
      const script = `mount -t tmpfs -o size=4m none /mnt && cd /mnt && INIT_CWD=/mnt ${command}; echo $?; ls -A /mnt`;
      const { stdout, stderr } = await run("unshare", ["-rm", "sh", "-c", script]);
      // Which piece was the first to find no room is chance.
      return { stdout, stderr: stderr.replaceAll(/byte \d+/g, "byte N") };
    };
    const ours = ["MOA_ARGV0=qemu-img", Deno.execPath(), ...MOA.slice(0, -1)].join(" ");
    const source = folder.file("source");
    for (
      const words of [
        `convert -O raw ${source} target`,
        `convert -O qcow2 ${source} target`,
        `dd if=${source} of=target bs=64k`,
      ]
    ) {
      const real = await onSmallDisk(`qemu-img ${words}`);
      const found = await onSmallDisk(`${ours} ${words}`);
      assertEquals(found.stderr, real.stderr, words);
      assertEquals(found.stdout, real.stdout.replace("target\n", ""), words);
    }
  },
});

Deno.test({
  name: "images that another program writes to are refused in qemu-img's words, and stay as they are",
  ignore,
  async fn() {
    await using folder = await TempFolder.make();
    const cwd = folder.path;
    const shell = (text: string) => must("sh", ["-ec", text], { cwd });
    await shell("qemu-img create -q -f qcow2 busy 1M; qemu-io -c 'write 0 64k' busy >/dev/null; cp busy free");
    await shell("qemu-img create -q -f qcow2 -b busy -F qcow2 over; qemu-img create -q -f raw new 1M");
    const sums = () => shell("md5sum busy free over new; ls");
    const before = await sums();
    const holder = new Deno.Command("qemu-io", { args: ["busy"], cwd, stdin: "piped", stdout: "piped" }).spawn();
    const output = holder.stdout.getReader();
    // The prompt: from now on the image is open.
    await output.read();
    try {
      for (
        const words of [
          "convert -O raw busy out",
          "convert -n -O qcow2 free busy",
          "compare busy free",
          "compare free busy",
          "map busy",
          "dd if=busy of=out",
          "measure -O qcow2 busy",
          "rebase -b free -F qcow2 busy",
          "commit over",
          "resize busy 2M",
        ]
      ) {
        const args = words.split(" ");
        const real = await run("qemu-img", args, { cwd });
        const env = { INIT_CWD: cwd, MOA_ARGV0: "qemu-img" };
        const found = await run(Deno.execPath(), [...MOA.slice(0, -1), ...args], { cwd, env });
        assertEquals([words, found.code, found.stdout, found.stderr], [words, real.code, real.stdout, real.stderr]);
        assert(real.code !== 0, words);
      }
    } finally {
      await holder.stdin.close();
      await output.cancel();
      await holder.status;
    }
    assertEquals(await sums(), before);
  },
});
