/**
 * Media that moa makes, read by others: xorriso and isoinfo, fsck.fat and mtools, cpio.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { KiB, MiB } from "../../base/units.ts";
import { haveProgram, must, run } from "../../tests/support/programs.ts";
import { TempFolder } from "../../tests/support/temp.ts";
import { MachineError } from "../errors.ts";
import { buildCpio, buildFat, buildIso, IsoReader, type MediaFiles } from "./mod.ts";

const NOISE = new Uint8Array(70_001).map((_, at) => at * 131 >> 4);
const LONG = `${"a rather long name ".repeat(12)}end.txt`;

/** Names that no two file systems treat alike. */
const PLAIN: MediaFiles = {
  "ks.cfg": "text\nreboot\n",
  "empty": "",
  "README.TXT": "short\n",
  "noise.bin": NOISE,
  "Mixed Case.text": "mixed\n",
  "Mixed Case.texture": "another\n",
  "packages/a/b/deep.rpm": NOISE.subarray(0, 5000),
  "packages/over.tar.gz": NOISE.subarray(0, 2048),
  "nothing": { folder: true },
};
const POSIX: MediaFiles = {
  ...PLAIN,
  [LONG]: "long\n",
  "ümlaut": "u\n",
  "init": { bytes: "#!/bin/sh\n", mode: 0o755 },
  "link": { link: "packages/a/b/deep.rpm" },
  "up": { link: "../../etc/./passwd" },
  "root": { link: `/${"far/".repeat(150)}away` },
};

/** All files below `folder` with their bytes, links with their targets, folders. */
async function readTree(folder: string, prefix = ""): Promise<Map<string, Uint8Array | string>> {
  const found = new Map<string, Uint8Array | string>();
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    const name = prefix + entry.name;
    if (entry.isSymlink) found.set(name, `-> ${await Deno.readLink(path)}`);
    else if (entry.isFile) found.set(name, await Deno.readFile(path));
    else {
      found.set(name, "folder");
      for (const [below, content] of await readTree(path, `${name}/`)) found.set(below, content);
    }
  }
  return found;
}

/** The same of what was asked for. */
function expected(files: MediaFiles): Map<string, Uint8Array | string> {
  const wanted = new Map<string, Uint8Array | string>();
  for (const [path, content] of Object.entries(files)) {
    const parts = path.split("/");
    for (let i = 1; i < parts.length; i++) wanted.set(parts.slice(0, i).join("/"), "folder");
    const bytes = typeof content === "string" || content instanceof Uint8Array
      ? content
      : "bytes" in content
      ? content.bytes
      : undefined;
    if (bytes !== undefined) wanted.set(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
    else if (typeof content === "object" && "link" in content) wanted.set(path, `-> ${content.link}`);
    else wanted.set(path, "folder");
  }
  return wanted;
}

function sameTree(found: Map<string, Uint8Array | string>, files: MediaFiles): void {
  const sorted = (tree: Map<string, Uint8Array | string>) => [...tree].sort(([a], [b]) => a < b ? -1 : 1);
  assertEquals(sorted(found).map(([path]) => path), sorted(expected(files)).map(([path]) => path));
  assertEquals(sorted(found), sorted(expected(files)));
}

Deno.test({
  name: "iso: xorriso takes off it what was put on it, names, permissions and links included",
  ignore: !haveProgram("xorriso"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const image = await temp.write("cd.iso", buildIso(POSIX, { label: "OEMDRV" }));
    const folder = temp.file("at");
    await must("xorriso", ["-osirrox", "on", "-indev", image, "-extract", "/", folder]);
    const { mode } = await Deno.stat(`${folder}/init`);
    await must("chmod", ["-R", "u+w", folder]);
    sameTree(await readTree(folder), POSIX);
    assertEquals(mode! & 0o777, 0o755);
  },
});

Deno.test({
  name: "iso: isoinfo finds all three kinds of names",
  ignore: !haveProgram("isoinfo"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const image = await temp.write("cd.iso", buildIso(POSIX, { label: "OEMDRV" }));
    const facts = await must("isoinfo", ["-d", "-i", image]);
    assert(/^Volume id: OEMDRV$/m.test(facts) && facts.includes("Rock Ridge"), facts);
    assert(facts.includes("Joliet with UCS level 3"), facts);
    assertEquals(await must("isoinfo", ["-i", image, "-x", "/KS.CFG;1"]), "text\nreboot\n");
    assertEquals(await must("isoinfo", ["-J", "-i", image, "-x", "/ks.cfg;1"]), "text\nreboot\n");
    assertEquals(await must("isoinfo", ["-J", "-i", image, "-x", `/${LONG.slice(0, 64)};1`]), "long\n");
    assertEquals(await must("isoinfo", ["-R", "-i", image, "-x", `/${LONG}`]), "long\n");
    assert(!(await must("isoinfo", ["-J", "-f", "-i", image])).includes("/link"), "Joliet has no links");
  },
});

Deno.test({
  name: "iso: many folders and files, a block of records after the other",
  ignore: !haveProgram("isoinfo"),
  fn: async () => {
    const files: Record<string, string> = {};
    for (let i = 0; i < 300; i++) {
      files[`folder ${i % 7}/a file with a name of some length, number ${i}.txt`] = `${i}\n`;
    }
    await using temp = await TempFolder.make();
    const image = await temp.write("cd.iso", buildIso(files));
    const listed = (await must("isoinfo", ["-R", "-f", "-i", image])).trim().split("\n").map((line) => line.slice(1));
    assertEquals(listed.filter((path) => path.includes("/")).sort(), Object.keys(files).sort());
    assertEquals(await must("isoinfo", ["-R", "-i", image, "-x", `/${Object.keys(files)[299]}`]), "299\n");
  },
});

Deno.test({
  name: "iso: El Torito leads to the boot file",
  ignore: !haveProgram("isoinfo"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const disc = buildIso({ ...PLAIN, "boot/loader.img": NOISE.subarray(0, 3000) }, { boot: "boot/loader.img" });
    const facts = await must("isoinfo", ["-d", "-i", await temp.write("cd.iso", disc)]);
    assert(/El Torito VD version 1 found/.test(facts) && /Nsect 6$/m.test(facts), facts);
    const block = Number.parseInt(/Bootoff ([0-9A-F]+) /.exec(facts)![1]!, 16);
    assertEquals(disc.subarray(block * 2048, block * 2048 + 3000), NOISE.subarray(0, 3000));
  },
});

for (const sizeBytes of [360 * KiB, 720 * KiB, 1200 * KiB, 1440 * KiB, 2880 * KiB, 5 * MiB, 40 * MiB, 300 * MiB]) {
  Deno.test({
    name: `fat: fsck.fat and mtools read a disk of ${sizeBytes / KiB} KiB`,
    ignore: !haveProgram("fsck.fat") || !haveProgram("mcopy"),
    fn: async () => {
      await using temp = await TempFolder.make();
      const files = { ...PLAIN, [LONG.slice(0, 200)]: "long\n" };
      const image = await temp.write("disk", buildFat(files, { sizeBytes, label: "answers" }));
      const { code, stdout, stderr } = await run("fsck.fat", ["-n", "-v", image]);
      assertEquals(code, 0, stdout + stderr);
      await Deno.mkdir(temp.file("at"));
      await must("mcopy", ["-s", "-n", "-i", image, "::", temp.file("at")]);
      sameTree(await readTree(temp.file("at")), files);
      assert((await must("mdir", ["-i", image, "::"])).includes("Volume in drive : is ANSWERS"));
    },
  });
}

Deno.test({
  name: "cpio: the archive unpacks to what was asked for",
  ignore: !haveProgram("cpio"),
  fn: async () => {
    await using temp = await TempFolder.make();
    await temp.write("archive", buildCpio(POSIX));
    await must("sh", ["-c", "mkdir at && cd at && cpio -i --quiet --no-absolute-filenames <../archive"], {
      cwd: temp.path,
    });
    sameTree(await readTree(temp.file("at")), POSIX);
    assertEquals((await Deno.stat(`${temp.file("at")}/init`)).mode! & 0o777, 0o755);
  },
});

Deno.test("media: what cannot be is refused by its path", () => {
  const refused = (make: () => unknown, text: string) => assertThrows(make, MachineError, text);
  refused(() => buildIso({ "../up": "" }), "Could not put '../up' on the medium");
  refused(() => buildCpio({ "a": "", "a/b": "" }), "'a' is no folder");
  refused(() => buildCpio({ "a/b": "", "a": "" }), "is there twice");
  refused(() => buildIso({ ["n".repeat(256)]: "" }), "a name has at most 255 bytes");
  refused(() => buildIso({ "1/2/3/4/5/6/7/8/9": "" }), "at most 8 folders");
  refused(() => buildIso({}, { label: "no label" }), "'no label' is no label of a CD");
  refused(() => buildIso({}, { boot: "nothing" }), "no such file to start from");
  refused(() => buildFat({ "big": NOISE }, { sizeBytes: 32 * KiB }), "the disk of 32 KiB is full");
  refused(() => buildFat({ "a:b": "" }), "Could not put 'a:b'");
  refused(() => buildFat({ "Name": "", "name": "" }), "does not tell upper case from lower case");
  refused(() => buildFat({ "l": { link: "x" } }), "no symbolic links");
  refused(() => buildFat({}, { sizeBytes: 3 * 1024 * MiB }), "at most 2 GiB");
  refused(() => buildFat({}, { sizeBytes: 512 }), "at least 16 KiB");
  refused(() => buildCpio({ "l": { link: "" } }), "a path of 1 to 1023 bytes");
});

/** A reader over bytes in memory. */
function readerOf(disc: Uint8Array): Promise<IsoReader> {
  return IsoReader.open({
    sizeBytes: disc.length,
    read: (at, length) => Promise.resolve(disc.subarray(at, at + length)),
  });
}

Deno.test({
  name: "iso reader: finds what xorriso has put on a CD, by long and short names",
  ignore: !haveProgram("xorriso"),
  fn: async () => {
    await using temp = await TempFolder.make();
    await Deno.mkdir(`${temp.path}/tree/images/pxeboot`, { recursive: true });
    await temp.write("tree/images/pxeboot/vmlinuz", NOISE);
    await temp.write("tree/.treeinfo", new TextEncoder().encode("arch = i386\n"));
    const long = `${"n".repeat(80)}.txt`;
    await temp.write(`tree/${long}`, new TextEncoder().encode("long\n"));
    for (const rockRidge of [true, false]) {
      const flags = rockRidge ? ["-R"] : [];
      await must("xorriso", ["-as", "mkisofs", ...flags, "-V", "RHEL", "-o", "cd.iso", "tree"], { cwd: temp.path });
      const reader = await readerOf(await Deno.readFile(temp.file("cd.iso")));
      assertEquals(reader.label, "RHEL");
      assertEquals(await reader.readFile("images/pxeboot/vmlinuz"), NOISE);
      assertEquals(await reader.readFile("/IMAGES/PXEBOOT/VMLINUZ"), NOISE);
      assertEquals(await reader.readFile("images/nosuch"), undefined);
      assertEquals(await reader.has("images"), false);
      if (rockRidge) assertEquals(new TextDecoder().decode(await reader.readFile(long)), "long\n");
    }
  },
});

Deno.test("iso reader: a damaged medium ends in a refusal", async () => {
  const disc = buildIso({ "a/b/c.txt": "c\n", "big": NOISE });
  for (let seed = 0; seed < 400; seed++) {
    const damaged = disc.slice(0, seed % 4 === 0 ? disc.length - 2048 * (seed % 40) : disc.length);
    for (let i = 0; i < 12; i++) {
      const at = 0x8000 + (seed * 7919 + i * 104_729) % Math.max(1, Math.min(0x5000, damaged.length - 0x8000));
      damaged[at] = (seed * 31 + i * 17) & 0xff;
    }
    try {
      const reader = await readerOf(damaged);
      for (const path of ["a/b/c.txt", "big", "a", ""]) await reader.readFile(path);
    } catch (error) {
      if (!(error instanceof MachineError)) throw error;
    }
  }
  const error = await readerOf(new Uint8Array(10)).then(() => undefined, (reason) => reason);
  assertEquals(error?.message, "Could not read the medium: it is no CD image (ISO 9660)");
});
