/**
 * `scripts/install-rhel.ts` with a stand-in for the installer: the dialogue, retries, refusals.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { openImage } from "../../mod.ts";
import { install, InstallationError } from "../../scripts/installer/install.ts";
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
  wanted: { tries?: number; profile?: InstallerProfile } = {},
) {
  const iso = `${folder}/cd.iso`;
  await Deno.writeFile(iso, medium);
  let said = "";
  const progress = new ProgressLine({ terminal: false, write: (text) => said += text }, () => 0);
  const version = await install({
    profile: wanted.profile ?? quickProfile(2),
    iso,
    disk: `${folder}/disk,1.qcow2`,
    sizeBytes: SIZE,
    answers: undefined,
    tries: wanted.tries ?? 1,
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

Deno.test("install-rhel: a wrong command line ends with 2, a missing medium with 1", async () => {
  const script = (...args: string[]) =>
    run(Deno.execPath(), ["run", "-q", "--no-prompt", "-P=script", "scripts/install-rhel.ts", ...args], { cwd: ROOT });
  for (
    const [args, words] of [
      [[], "--iso and --disk are needed"],
      [["--iso", "a", "--disk", "b", "--size", "much"], "--size wants a size such as 20G, not 'much'"],
      [["--iso", "a", "--disk", "b", "--tries", "0"], "--tries is a number from 1 to 10"],
      [["--iso", "a", "--disk", "b", "--colour"], "there is no option --colour"],
      [["--iso", "a", "--disk", "b", "--profile", "nosuch.ts"], "--profile nosuch.ts: "],
    ] as const
  ) {
    const { code, stderr } = await script(...args);
    assertEquals(code, 2, stderr);
    assertMatch(stderr, new RegExp(`^install-rhel: ${words.replaceAll("(", "\\(").replaceAll(".", "\\.")}`));
    assertStringIncludes(stderr, "usage: deno run -P=script");
  }
  const { code, stderr } = await script("--iso", "nosuch.iso", "--disk", "d.qcow2");
  assertEquals(code, 1);
  assert(/^install-rhel: .*No such file or directory$/m.test(stderr), stderr);
});
