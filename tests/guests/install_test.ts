/**
 * `scripts/install-rhel.ts` with a stand-in for the installer: the dialogue, retries, refusals.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { BlockError, IdeGuest, openImage, Vm } from "../../mod.ts";
import { brokenDisk, install, type Installation, InstallationError } from "../../scripts/installer/install.ts";
import { MediumError } from "../../scripts/installer/medium.ts";
import type { InstallerProfile } from "../../scripts/installer/profile.ts";
import { ProgressLine } from "../../scripts/installer/progress.ts";
import { profile } from "../../scripts/profiles/rhel.ts";
import { run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { haveSeaBios } from "./boot_sector.ts";
import { standInMedium } from "./stand_in.ts";

const ignore = !haveSeaBios();
const SIZE = 64 << 20;
const ROOT = new URL("../../", import.meta.url).pathname;

/** The profile for a stand-in, which answers at once or never; minutes are its patience. */
function quickProfile(minutes: number): InstallerProfile {
  return { ...profile, memoryMiB: 64, dialogue: profile.dialogue.map((step) => ({ ...step, minutes })) };
}

/** Installs from a medium into a folder; what was said on the way. */
async function installFrom(
  medium: Uint8Array,
  folder: string,
  wanted: Partial<Pick<Installation, "tries" | "profile" | "overwrite" | "resume" | "signal" | "diskMade">> = {},
) {
  const iso = `${folder}/cd.iso`;
  await Deno.writeFile(iso, medium);
  let said = "";
  const progress = new ProgressLine({ terminal: false, write: (text) => said += text }, () => 0);
  const version = await install({
    tries: 1,
    profile: quickProfile(2),
    ...wanted,
    iso,
    disk: `${folder}/disk,1.qcow2`,
    sizeBytes: SIZE,
    answers: undefined,
    progress,
  });
  return { version, said };
}

for (const asks of [false, true]) {
  Deno.test({
    name: `install-rhel: from the medium to the login of what was installed${
      asks ? ", with every question asked" : ""
    }`,
    ignore,
    fn: async () => {
      await using temp = await TempFolder.make();
      const { version, said } = await installFrom(standInMedium({}, { asks }), temp.path);
      assertEquals(version, "6.10");
      const order = [
        "the kernel starts",
        "anaconda starts",
        ...(asks ? ["whether to test the medium: skipped", "whether to erase a disk without a table: yes"] : []),
        "file systems are made",
        "packages are installed",
        "the boot loader is installed",
        ...(asks ? ["the end: restarted"] : []),
        "the installer ends",
        "starting what was installed",
        "it is up",
      ];
      const lines = said.split("\n").map((line) => line.replace(/^ *0:00 {2}/, ""));
      assertEquals(lines.filter((line) => order.includes(line)), order);
      await using image = await openImage(`${temp.path}/disk,1.qcow2`, { readOnly: true });
      assertEquals(image.snapshots.map(({ name }) => name), ["empty", "installed"]);
    },
  });
}

Deno.test({
  name: "install-rhel: an installer that ends in the middle is begun again from the empty disk, then given up",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    const medium = standInMedium({}, { failures: 3 });
    const error = await assertRejects(() => installFrom(medium, temp.path, { tries: 2 }), InstallationError);
    assertStringIncludes(
      error.message,
      "the installation did not succeed: the machine ended while it was waited for: the boot loader is installed",
    );
    // The disk's second sector counts how often it was begun: once, since the second try began from the empty disk.
    await using image = await openImage(`${temp.path}/disk,1.qcow2`, { readOnly: true });
    assertEquals((await image.read(512, 1))[0], 1);
    assertEquals(image.snapshots.map(({ name }) => name), ["empty"]);
  },
});

Deno.test({
  name: "install-rhel: an installer that hangs is given up, with the last lines and requests",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    const medium = standInMedium({}, { failures: 3, hangs: true });
    const error = await assertRejects(
      () => installFrom(medium, temp.path, { profile: quickProfile(10 / 60) }),
      InstallationError,
    );
    assertStringIncludes(error.message, "Package Installation");
    assertStringIncludes(error.message, "the guest's last ");
  },
});

Deno.test({
  name: "install-rhel: an installer that says that it cannot go on is not waited for",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    const quick = quickProfile(2);
    const dialogue = quick.dialogue.map((step) => step.says.startsWith("the boot") ? { ...step, waitFor: /x^/ } : step);
    const never = { ...quick, dialogue, failure: /installing .?boot ?loader/ };
    const error = await assertRejects(
      () => installFrom(standInMedium({}, {}), temp.path, { profile: never }),
      InstallationError,
      "the installation did not succeed: the installer said '",
    );
    assertMatch(error.message, /its last lines:\n(?: {2}.*\n)* {2}.*boot ?loader/i);
  },
});

Deno.test("install-rhel: media that cannot be installed from are refused before a disk is made", async () => {
  await using temp = await TempFolder.make();
  for (
    const [about, words] of [
      [{ arch: "x86_64" }, "this is Red Hat Enterprise Linux 6.10 for x86_64; moa's CPU runs 32-bit code only"],
      [{ version: "7.9" }, "versions 5 and 6 can be installed"],
      [{ family: "Fedora" }, "is no medium of Red Hat Enterprise Linux; --profile FILE names another profile"],
    ] as const
  ) {
    await assertRejects(() => installFrom(standInMedium(about), temp.path), MediumError, words);
  }
  await assertRejects(() => installFrom(new Uint8Array(100_000), temp.path), Error, "it is no CD image (ISO 9660)");
  assertEquals([...Deno.readDirSync(temp.path)].map(({ name }) => name), ["cd.iso"]);
});

Deno.test("install-rhel: a disk that is there stays, unless it is to be replaced", async () => {
  await using temp = await TempFolder.make();
  const disk = `${temp.path}/disk,1.qcow2`;
  const refused = standInMedium({ version: "7.9" });
  await Deno.writeTextFile(disk, "precious");
  await assertRejects(() => installFrom(refused, temp.path), InstallationError, "is there already");
  // With leave it comes as far as the medium.
  await assertRejects(() => installFrom(refused, temp.path, { overwrite: true }), MediumError);
  const notBegun = "Image is not in qcow2 format";
  await assertRejects(() => installFrom(refused, temp.path, { resume: true }), BlockError, notBegun);
  assertEquals(await Deno.readTextFile(disk), "precious");
  await Deno.remove(disk);
  await Deno.symlink(`${temp.path}/cd.iso`, disk);
  const words = "is the medium itself";
  await assertRejects(() => installFrom(refused, temp.path, { overwrite: true }), InstallationError, words);
  await Deno.remove(disk);
  await Deno.mkdir(disk);
  await assertRejects(() => installFrom(refused, temp.path, { overwrite: true }), InstallationError, "is a folder");
  await Deno.remove(disk);
  await Deno.symlink("/dev/full", disk);
  await assertRejects(() => installFrom(refused, temp.path), InstallationError, "is there already");
});

Deno.test({
  name: "install-rhel: interrupted in the middle it ends at once, without another try, and leaves the disk",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    const interruption = new AbortController();
    const reason = new InstallationError("interrupted", { isFinal: true });
    const medium = standInMedium({}, { failures: 3, hangs: true });
    const diskMade = () => void setTimeout(() => interruption.abort(reason), 1000);
    const error = await assertRejects(() =>
      installFrom(medium, temp.path, { tries: 3, signal: interruption.signal, diskMade })
    );
    assertEquals(error, reason);
    {
      await using image = await openImage(`${temp.path}/disk,1.qcow2`, { readOnly: true });
      assertEquals(image.snapshots.map(({ name }) => name), ["empty"]);
    }
    // Resumed it begins with an empty disk.
    const { said } = await installFrom(standInMedium({}, {}), temp.path, { resume: true });
    assertStringIncludes(said, "the kernel starts");
    assertStringIncludes(said, "it is up");
  },
});

Deno.test({
  name: "install-rhel: what was installed is not installed again by a run that resumes, but started",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    const { installed: _, ...withoutStart } = quickProfile(2);
    await installFrom(standInMedium(), temp.path, { profile: withoutStart });
    const disk = `${temp.path}/disk,1.qcow2`;
    {
      // As a first start leaves it that was interrupted.
      await using image = await openImage(disk);
      await image.write(0, new Uint8Array(512));
    }
    const { said } = await installFrom(standInMedium({}, { failures: 3 }), temp.path, { resume: true });
    const lines = said.trimEnd().split("\n").map((line) => line.replace(/^ *0:00 {2}/, ""));
    assertEquals(lines.slice(1), [
      `Red Hat Enterprise Linux 6.10; going on from snapshot 'installed' of ${disk}`,
      "starting what was installed",
      "it is up",
    ]);
  },
});

Deno.test("install-rhel: a machine that stands still since its disk is full is not waited for", async () => {
  await using temp = await TempFolder.make();
  const file = `${temp.path}/disk.img`;
  await Deno.writeFile(file, new Uint8Array(1 << 20));
  await using vm = await Vm.start({
    drives: [
      `driver=raw,if=ide,index=0,file.driver=blkdebug,file.image.driver=file,file.image.filename=${file},` +
      "file.inject-error.0.event=pwritev,file.inject-error.0.iotype=write,file.inject-error.0.errno=28",
    ],
  });
  await vm.cont();
  const over = new AbortController();
  const broken = brokenDisk(vm, file, over.signal);
  const ended = new Promise((resolve) => broken.addEventListener("abort", resolve));
  const written = (await IdeGuest.detect(vm.guest)).disk(0, 0).writeDma(0, new Uint8Array(512));
  await ended;
  assertEquals(broken.reason.message, `'${file}' could not be written: No space left on device`);
  assert(broken.reason instanceof InstallationError && broken.reason.isFinal);
  over.abort();
  written.catch(() => {});
});

Deno.test("install-rhel: the progress line fits on the terminal", () => {
  let text = "";
  const line = new ProgressLine({ terminal: true, columns: () => 20, write: (part) => text += part }, () => 0);
  line.say("a long text about what is going on");
  assertEquals(text, "\r\x1b[K  0:00  a long t...");
  text = "";
  line.say("short");
  assertEquals(text, "\r\x1b[K  0:00  short");
  line.tick();
  assertEquals(text, "\r\x1b[K  0:00  short".repeat(2));
  line.end();
  text = "";
  line.tick();
  assertEquals(text, "");
});

Deno.test("install-rhel: a wrong command line ends with 2, a missing medium with 1", async () => {
  const script = (...args: string[]) =>
    run(Deno.execPath(), ["run", "-q", "--no-prompt", "-P=script", "scripts/install-rhel.ts", ...args], { cwd: ROOT });
  for (
    const [args, words] of [
      [[], "--iso and --disk are needed"],
      [["--iso", "a", "--disk", "b", "--size", "much"], "--size wants a size such as 20G, not 'much'"],
      [["--iso", "a", "--disk", "b", "--tries", "0"], "--tries is a number from 1 to 10"],
      [["--iso", "a", "--disk", "b", "--size", "0"], "--size 0: nothing can be installed in so little"],
      [["--iso", "a", "--disk", "b", "--kickstart", "nosuch"], "--kickstart nosuch: No such file or directory"],
      [["--iso", "a", "--disk", "b", "--kickstart", "."], "--kickstart .: Is a directory"],
      [["--iso", "a", "--disk", "b", "--kickstart", "/dev/null"], "--kickstart /dev/null: this is no file of answers"],
      [["--iso", "a", "--disk", "b", "--colour"], "there is no option --colour"],
      [["--iso", "a", "--disk", "b", "--resume", "--overwrite"], "--resume and --overwrite are opposites"],
      [["--iso", "a", "--disk", "b", "--profile", "nosuch.ts"], "--profile nosuch.ts: "],
    ] as const
  ) {
    const { code, stderr } = await script(...args);
    assertEquals(code, 2, stderr);
    assertMatch(stderr, new RegExp(`^install-rhel: ${words.replaceAll("(", "\\(").replaceAll(".", "\\.")}`));
    assertStringIncludes(stderr, "usage: deno run -P=script");
  }
  const help = await script("--help");
  assertEquals([help.code, help.stderr], [0, ""]);
  assertStringIncludes(help.stdout, "--overwrite ");
  const { code, stderr } = await script("--iso", "nosuch.iso", "--disk", "d.qcow2");
  assertEquals(code, 1);
  assert(/^install-rhel: .*No such file or directory$/m.test(stderr), stderr);
});
