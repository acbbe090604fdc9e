/**
 * Debian's installer for i386, driven by `scripts/profiles/debian.ts`: kernel, RAM disk, menu, and a disk with formatted
 * partitions, which the host's own programs then look at.
 *
 * Once a step of our own (`disk_setup.ts`) partitions with parted and mke2fs; once partman does, from packages or made from
 * its sources (`.ci/partman`; `partman_rest.ts` is what those lack): where it is not at hand that test is skipped.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildIso, IsoReader } from "../../mod.ts";
import { install } from "../../scripts/installer/install.ts";
import type { Step } from "../../scripts/installer/profile.ts";
import { ProgressLine } from "../../scripts/installer/progress.ts";
import { profile, UNTIL_FORMATTED } from "../../scripts/profiles/debian.ts";
import { run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { diskSetup } from "./disk_setup.ts";
import { type Component, componentFiles, type InstallerFiles, installerFiles, unpack } from "./installer_files.ts";
import { IDE_MODULES } from "./linux.ts";
import { partmanRest } from "./partman_rest.ts";

const installer = installerFiles();
const havePackage = (name: string) => installer?.packages.some((file) => file.includes(`/${name}_`)) ?? false;

const MODULES = [
  ...IDE_MODULES,
  ...["crypto/crc32c_generic", "lib/crc16", "fs/mbcache", "fs/jbd2/jbd2", "fs/ext4/ext4"],
];
const SECTOR_BYTES = 512;
/** The type of a partition that holds further ones. */
const EXTENDED = 5;
const MiB = 1 << 20;

/** Out of the menu that comes when no step is left: no answer of a preseed file ends an installer half-way. */
const LEAVE: readonly Step[] = [
  {
    says: "the menu: out of it",
    waitFor: /\d+: Abort the installation[^]*?Prompt: [^>]*> /,
    answer: (said) => `${/(\d+): Abort the installation/.exec(said)![1]}\r`,
  },
  {
    says: "whether to leave: yes",
    waitFor: /exit now\?[^]*?Prompt: [^>]*> /,
    answer: (said) => `${/(\d+): Yes/.exec(said)![1]}\r`,
  },
];

/** Runs the installer with `components` until the disk is formatted; the disk as raw bytes, in a file. */
async function formatted(
  files: InstallerFiles,
  folder: string,
  components: readonly Component[],
  answers: string,
  sizeBytes: number,
): Promise<{ readonly raw: string; readonly said: string }> {
  const iso = `${folder}/cd.iso`;
  await Deno.writeFile(
    iso,
    buildIso({
      ".disk/info": 'Debian GNU/Linux 12.0 "Bookworm" - Unofficial i386 TEST with netboot files',
      "install.386/vmlinuz": await Deno.readFile(files.kernel),
      "install.386/initrd.gz": await Deno.readFile(files.initrd),
    }),
  );
  const modules: Record<string, Uint8Array> = {};
  for (const name of MODULES) {
    modules[`lib/modules/${files.release}/kernel/${name}.ko`] = await Deno.readFile(
      `${files.modules}/kernel/${name}.ko`,
    );
  }
  const more = await componentFiles(files, components, modules);
  let said = "";
  const { installed: _, initrdFiles, ...common } = profile;
  const version = await install({
    profile: {
      ...common,
      initrdFiles: (answers) => ({ ...more, ...initrdFiles!(answers) }),
      dialogue: [...UNTIL_FORMATTED, ...LEAVE].map((step) => ({ ...step, minutes: 20 })),
    },
    iso,
    disk: `${folder}/disk.qcow2`,
    sizeBytes,
    answers,
    tries: 1,
    progress: new ProgressLine({ terminal: false, write: (text) => said += text }, () => 0),
  });
  assertEquals(version, "12.0");
  const raw = `${folder}/disk.raw`;
  assertEquals((await run("qemu-img", ["convert", "-O", "raw", `${folder}/disk.qcow2`, raw])).code, 0);
  return { raw, said };
}

interface Partition {
  readonly type: number;
  readonly startBytes: number;
  readonly lengthBytes: number;
}

/** A disk's partitions, those of the extended one behind the primary ones. Source: the MBR as every BIOS reads it. */
async function partitionsOf(raw: string): Promise<Partition[]> {
  using file = await Deno.open(raw);
  /** The four entries of the table at a byte offset. */
  const entries = async (at: number): Promise<Partition[]> => {
    const sector = new Uint8Array(SECTOR_BYTES);
    await file.seek(at, Deno.SeekMode.Start);
    await file.read(sector);
    const view = new DataView(sector.buffer);
    assertEquals(view.getUint16(510, true), 0xAA55);
    return [446, 462, 478, 494].map((entry) => ({
      type: view.getUint8(entry + 4),
      startBytes: view.getUint32(entry + 8, true) * SECTOR_BYTES,
      lengthBytes: view.getUint32(entry + 12, true) * SECTOR_BYTES,
    })).filter(({ type }) => type !== 0);
  };
  const primary = await entries(0);
  const partitions = primary.filter(({ type }) => type !== EXTENDED);
  const [extended] = primary.filter(({ type }) => type === EXTENDED);
  // A chain of tables, each with one partition, counted from itself, and the next table, counted from the first.
  for (let at = extended?.startBytes; at !== undefined && partitions.length < 16;) {
    const [logical, next] = await entries(at);
    partitions.push({ ...logical!, startBytes: at + logical!.startBytes });
    at = next && extended!.startBytes + next.startBytes;
  }
  return partitions;
}

/** e2fsprogs on one partition, where it lies. */
async function checkExt4(raw: string, { startBytes }: Partition): Promise<string> {
  const part = `${raw}?offset=${startBytes}`;
  const check = await run("e2fsck", ["-fn", part]);
  assertEquals(check.code, 0, check.stdout);
  const { stdout } = await run("dumpe2fs", ["-h", part]);
  assertMatch(stdout, /Filesystem state: +clean/);
  assertMatch(stdout, /Filesystem features: .*\bextent\b/);
  return stdout + (await run("debugfs", ["-R", "cat /etc/fstab", part])).stdout;
}

Deno.test({
  name: "Debian's installer (i386 netboot) under a preseed: its menu partitions and formats, the host's e2fsck agrees",
  ignore: installer === undefined,
  fn: async () => {
    await using temp = await TempFolder.make();
    const components = [diskSetup(MODULES)];
    for (const [index, file] of installer!.packages.entries()) {
      if (file.endsWith(".deb")) components.push(await unpack(file, `${temp.path}/${index}`));
    }
    const answers = "d-i debian-installer/locale string en_US\nd-i keyboard-configuration/xkb-keymap select us\n" +
      "d-i disk-setup/disk string /dev/sda\nd-i disk-setup/confirm boolean true\n";
    const { raw, said } = await formatted(installer!, temp.path, components, answers, 512 * MiB);
    assertStringIncludes(said, "partitions are formatted");
    const [swap, root, ...others] = await partitionsOf(raw);
    assertEquals(others, []);
    assertEquals(swap, { type: 0x82, startBytes: MiB, lengthBytes: 32 * MiB });
    assertEquals(root, { type: 0x83, startBytes: 33 * MiB, lengthBytes: (512 - 33) * MiB });
    const facts = await checkExt4(raw, root!);
    assertMatch(facts, /Filesystem volume name: +target/);
    assertStringIncludes(facts, "/dev/sda2 / ext4 defaults 0 1");
    assertEquals(await textAt(raw, MiB + 4096 - 10, 10), "SWAPSPACE2");
  },
});

Deno.test({
  name: "Debian's installer (i386 netboot) with partman under a preseed: partitions, formats, the host's e2fsck agrees",
  ignore: !havePackage("partman-base"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const whole = havePackage("partman-ext3");
    const components = whole ? [] : [partmanRest(MODULES)];
    for (const [index, file] of installer!.packages.entries()) {
      if (file.endsWith(".udeb") || !whole) components.push(await unpack(file, `${temp.path}/${index}`));
    }
    const { raw } = await formatted(installer!, temp.path, components, profile.answers, 12 * 1024 * MiB);
    const partitions = await partitionsOf(raw);
    const [root] = partitions.filter(({ type }) => type === 0x83).sort((a, b) => b.lengthBytes - a.lengthBytes);
    const facts = await checkExt4(raw, root!);
    assertMatch(facts, /Last mounted on: +\/target/);
    const [, uuid] = /Filesystem UUID: +(\S+)/.exec(facts)!;
    assertMatch(facts, new RegExp(`^UUID=${uuid} +/ +ext4 `, "m"));
    const [swap] = partitions.filter(({ type }) => type === 0x82);
    assertEquals(await textAt(raw, swap!.startBytes + 4096 - 10, 10), "SWAPSPACE2");
  },
});

Deno.test("the profile for Debian knows CDs by .disk/info: those for i386, refuses others by name, leaves the rest", async () => {
  const recognized = async (info: string) => {
    const image = buildIso({ ".disk/info": info });
    const sizeBytes = image.length;
    const read = (at: number, length: number) => Promise.resolve(image.subarray(at, at + length));
    return await profile.recognize(await IsoReader.open({ sizeBytes, read }));
  };
  const official = (arch: string) => `Debian GNU/Linux 12.5.0 "Bookworm" - Official ${arch} NETINST with firmware`;
  assertEquals(await recognized(official("i386")), { kind: "installable", version: "12.5.0" });
  const refused = await recognized(official("amd64"));
  assert(refused.kind === "refused");
  assertStringIncludes(refused.reason, "Debian 12.5.0 for amd64; moa's CPU runs 32-bit code only");
  assertEquals(await recognized("Something else"), { kind: "other" });
});

async function textAt(path: string, at: number, lengthBytes: number): Promise<string> {
  using file = await Deno.open(path);
  await file.seek(at, Deno.SeekMode.Start);
  const bytes = new Uint8Array(lengthBytes);
  await file.read(bytes);
  return new TextDecoder().decode(bytes);
}
