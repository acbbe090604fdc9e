/**
 * Debian's installer: its kernel, its initial RAM disk, and packages that go into that as a second archive.
 *
 * The installer's own tool for packages (udpkg) keeps what is unpacked in `/var/lib/dpkg`; here that is done beforehand:
 * files, scripts and questions of each package, and its entry in the list. Steps of the menu that need a network are
 * taken off the list, since there is no network card.
 *
 * Source: Debian Installer internals, "Main menu", "udebs"; deb-control(5); dpkg-deb(1).
 *
 * @module
 */
import { gunzipSync } from "node:zlib";
import { assertEquals } from "@std/assert";
import type { MediaContent, MediaFiles } from "../../mod.ts";
import { run } from "../support/programs.ts";

/** What the folder `installer` below `MOA_GUESTS` holds. */
export interface InstallerFiles {
  readonly kernel: string;
  readonly initrd: string;
  /** Packages of Debian, `.deb` and `.udeb`, by file name. */
  readonly packages: readonly string[];
  /** The kernel's modules: the folder that holds `kernel/`. */
  readonly modules: string;
  /** The kernel's release, such as `6.1.0-50-686`. */
  readonly release: string;
}

/** Where the installer is unpacked; `undefined` where it is not, or not with the modules of its kernel. */
export function installerFiles(): InstallerFiles | undefined {
  const guests = Deno.env.get("MOA_GUESTS");
  if (guests === undefined) return undefined;
  const folder = `${guests}/installer`;
  try {
    const release = Deno.readTextFileSync(`${folder}/release`).trim();
    const modules = `${guests}/lib/modules/${release}`;
    Deno.statSync(`${modules}/kernel`);
    const packages = [...Deno.readDirSync(`${folder}/packages`)].map(({ name }) => `${folder}/packages/${name}`);
    return { kernel: `${folder}/linux`, initrd: `${folder}/initrd.gz`, packages: packages.sort(), modules, release };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A package as the installer has it unpacked. */
export interface Component {
  /** Its entry in the list, without the line `Status`. */
  readonly control: string;
  /** `postinst`, `templates` and so on by name. */
  readonly scripts: Readonly<Record<string, string>>;
  readonly files: MediaFiles;
}

/** How a program or library begins. */
const ELF = 0x7f454c46;

/** Nobody reads these in an installer. */
const LEFT_OUT = /^usr\/share\/(doc|man|locale|info|lintian)(\/|$)/;

/** Unpacks a package file; `scratch` is an empty folder. Only the installer's own packages have scripts that it can run. */
export async function unpack(file: string, scratch: string): Promise<Component> {
  const { code, stderr } = await run("dpkg-deb", ["-R", file, scratch]);
  assertEquals(code, 0, stderr);
  const files: Record<string, MediaContent> = {};
  const scripts: Record<string, string> = {};
  const control = (await Deno.readTextFile(`${scratch}/DEBIAN/control`)).trim();
  for await (const [path, content] of treeOf(scratch, "")) {
    if (path.startsWith("DEBIAN/")) {
      const name = path.slice("DEBIAN/".length);
      if (file.endsWith(".udeb") && name !== "control") scripts[name] = await Deno.readTextFile(`${scratch}/${path}`);
    } else if (!LEFT_OUT.test(path)) files[path] = content;
  }
  return { control, scripts, files };
}

async function* treeOf(root: string, prefix: string): AsyncGenerator<[string, MediaContent]> {
  for await (const { name, isDirectory, isSymlink } of Deno.readDir(`${root}/${prefix}`)) {
    const path = `${prefix}${name}`;
    if (isDirectory) yield* treeOf(root, `${path}/`);
    else if (isSymlink) yield [path, { link: await Deno.readLink(`${root}/${path}`) }];
    else {
      const { mode } = await Deno.stat(`${root}/${path}`);
      yield [path, { bytes: await Deno.readFile(`${root}/${path}`), mode: mode! & 0o777 }];
    }
  }
}

/** Steps of the installer's menu that want a network. */
const NETWORK = ["ethdetect", "netcfg", "network-preseed", "choose-mirror", "download-installer"];

/** What goes into the initial RAM disk behind what it has: `components`, `files`, and the list with them. */
export async function componentFiles(
  installer: InstallerFiles,
  components: readonly Component[],
  files: MediaFiles,
): Promise<MediaFiles> {
  const archive = gunzipSync(await Deno.readFile(installer.initrd));
  const there = memberOf(archive, "var/lib/dpkg/status").split(/\n{2,}/);
  const list = [
    ...there.filter((entry) => !NETWORK.includes(nameOf(entry)) && entry.trim() !== ""),
    ...components.map(({ control }) => control.replace(/^Package: .*$/m, "$&\nStatus: install ok unpacked")),
  ];
  const all: Record<string, MediaContent> = { ...files };
  for (const component of components) {
    Object.assign(all, component.files);
    for (const [name, bytes] of Object.entries(component.scripts)) {
      const mode = name === "templates" ? 0o644 : 0o755;
      all[`var/lib/dpkg/info/${nameOf(component.control)}.${name}`] = { bytes, mode };
    }
  }
  all["var/lib/dpkg/status"] = `${list.join("\n\n")}\n\n`;
  return all;
}

function nameOf(entry: string): string {
  return /^Package: (.*)$/m.exec(entry)?.[1] ?? "";
}

/**
 * The programs of e2fsprogs, and their libraries: of packages, which are unpacked in `scratch`, and of the installer's RAM
 * disk.
 */
export async function fileSystemTools(installer: InstallerFiles, scratch: string): Promise<MediaFiles> {
  const all: Record<string, MediaContent> = {};
  for (
    const file of installer.packages.filter((file) => /\/(e2fsprogs|libext2fs2|libcom-err2)_[^/]*\.deb$/.test(file))
  ) {
    Object.assign(all, (await unpack(file, `${scratch}/${file.split("/").at(-1)}`)).files);
  }
  for (const [name, bytes] of membersOf(gunzipSync(await Deno.readFile(installer.initrd)))) {
    const library = /\/(ld-linux\.so\.2|libc\.so\.6|lib(?:blkid|uuid)\.so\.1)[^/]*$/.exec(name)?.[1];
    // The name without further numbers is a link there.
    if (library !== undefined && !isLink(bytes)) all[`lib/${library}`] = { bytes: bytes.slice(), mode: 0o755 };
  }
  return all;
}

/** Whether what an archive keeps of a library is the name of another one. */
function isLink(bytes: Uint8Array): boolean {
  return bytes.length < 4 || new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) !== ELF;
}

/** The text of one file of an archive. */
function memberOf(archive: Uint8Array, wanted: string): string {
  for (const [name, bytes] of membersOf(archive)) {
    if (name === wanted || name === `./${wanted}`) return new TextDecoder().decode(bytes);
  }
  throw new Error(`the installer's RAM disk has no '${wanted}'`);
}

/** What is in an archive, read apart from the builder. */
function* membersOf(archive: Uint8Array): Generator<[name: string, bytes: Uint8Array]> {
  const decoder = new TextDecoder();
  for (let at = 0; at + 110 <= archive.length;) {
    const field = (index: number) =>
      parseInt(decoder.decode(archive.subarray(at + 6 + index * 8, at + 14 + index * 8)), 16);
    const [size, nameLength] = [field(6), field(11)];
    const name = decoder.decode(archive.subarray(at + 110, at + 110 + nameLength - 1));
    if (name === "TRAILER!!!") return;
    const data = Math.ceil((at + 110 + nameLength) / 4) * 4;
    yield [name, archive.subarray(data, data + size)];
    at = Math.ceil((data + size) / 4) * 4;
  }
}
