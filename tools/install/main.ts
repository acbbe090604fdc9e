/**
 * `deno task install [folder] [--qemu-names]`: puts starters of moa into a folder.
 *
 * They start a bundle that is made now and lies beside them in `.moa`, so that the source may move or go. Where no bundle
 * can be made (Deno fetches its bundler on first use), they start the source. Nothing that is not a starter of moa is
 * ever replaced, and nothing is written before that is known.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import config from "../../deno.json" with { type: "json" };
import { BundleError, makeBundle } from "./bundle.ts";
import { isStarter, type PermissionSet, QEMU_NAMES, quote, type Starter, starterText } from "./starter.ts";

const USAGE = `usage: deno task install [folder] [--qemu-names]

Puts a starter 'moa' into folder (by default ~/.local/bin); with --qemu-names also
${QEMU_NAMES.join(", ")}.
`;

const BUNDLES = ".moa";

/**
 * How V8 is to run a bundle. Deno keeps the code of a file as it was compiled when the file was first loaded: without
 * `--no-lazy` that is next to nothing, and a convert compiles six hundred functions at every start. What a short command
 * allocates fits into 8 MiB, so that nothing is collected before it ends.
 */
const V8_FLAGS = "--v8-flags=--no-lazy,--min-semi-space-size=8";

/** A message for the user; nothing was changed. */
class InstallError extends Error {
  override readonly name = "InstallError";
}

/** Installs what `args` ask for; resolves to the exit status. */
async function install(args: readonly string[]): Promise<number> {
  const unknown = args.find((word) => word.startsWith("-") && !["--qemu-names", "--help", "-h"].includes(word));
  const { _: folders, "qemu-names": qemuNames, help } = parseArgs([...args], {
    boolean: ["qemu-names", "help"],
    alias: { help: "h" },
  });
  if (unknown !== undefined) throw new InstallError(`unrecognized option '${unknown}'\n${USAGE.trimEnd()}`);
  if (help) {
    console.log(USAGE.trimEnd());
    return 0;
  }
  if (folders.length > 1) throw new InstallError(`one folder, please, not ${folders.length}`);
  const folder = folderOf(folders[0] === undefined ? undefined : `${folders[0]}`);
  const names = ["moa", ...(qemuNames ? QEMU_NAMES : [])];
  for (const name of names) await refuseForeign(`${folder}/${name}`);
  await makeFolder(folder);
  const target = await whatToStart(folder);
  for (const name of names) await writeStarter(folder, starterText({ ...target, name }), name);
  console.log(`installed in ${folder}: ${names.join(", ")}`);
  await tellPath(folder, names);
  return 0;
}

/** The folder as an absolute path. */
function folderOf(given: string | undefined): string {
  const home = Deno.env.get("HOME");
  if (given === undefined && (home === undefined || home === "")) {
    throw new InstallError("HOME is not set: name a folder");
  }
  const folder = given ?? `${home}/.local/bin`;
  const base = Deno.env.get("INIT_CWD") ?? Deno.cwd();
  const path = folder.startsWith("/") ? folder : `${base}/${folder}`;
  return path.replace(/(?<=.)\/+$/, "");
}

async function refuseForeign(path: string): Promise<void> {
  let own = false;
  try {
    own = (await Deno.lstat(path)).isFile && isStarter(await Deno.readTextFile(path));
  } catch (error) {
    // A folder that is none is told of when it is made.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
    throw new InstallError(`cannot look at '${path}': ${reason(error)}`);
  }
  if (!own) throw new InstallError(`'${path}' is there and is no starter of moa; nothing was installed`);
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.remove(await Deno.makeTempFile({ dir: folder, prefix: ".moa-" }));
  } catch (error) {
    throw new InstallError(`cannot write to '${folder}': ${reason(error)}`);
  }
}

/** What starters run: a bundle, or else the source. */
async function whatToStart(folder: string): Promise<Omit<Starter, "name">> {
  const permissions: Readonly<Record<string, PermissionSet>> = config.permissions as never;
  const common = {
    deno: Deno.execPath(),
    permissions: { machine: permissions["start"]!, images: permissions["img"]! },
  };
  try {
    const id = await makeBundle(`${folder}/${BUNDLES}`);
    const besideStarter = `${BUNDLES}/${id}/moa.js`;
    return {
      ...common,
      program: `${folder}/${besideStarter}`,
      besideStarter,
      words: ["--no-config", "--no-lock", V8_FLAGS],
    };
  } catch (error) {
    if (!(error instanceof BundleError)) throw new InstallError(`cannot write to '${folder}': ${reason(error)}`);
    console.error(`no bundle could be made: ${error.message}`);
    console.error("The starters run the source where it is now, which takes longer to start.");
    const source = (path: string) => decodeURIComponent(new URL(path, import.meta.url).pathname);
    return {
      ...common,
      program: source("../moa.ts"),
      words: [`--config=${source("../../deno.json")}`, "--frozen"],
    };
  }
}

/** Replaces a starter at once: whoever starts it gets the old one or the new one. */
async function writeStarter(folder: string, text: string, name: string): Promise<void> {
  const work = `${folder}/.moa-${name}-${Deno.pid}`;
  try {
    await Deno.writeTextFile(work, text, { mode: 0o755 });
    await Deno.chmod(work, 0o755);
    await Deno.rename(work, `${folder}/${name}`);
  } catch (error) {
    await Deno.remove(work).catch(() => {});
    throw new InstallError(`cannot write '${folder}/${name}': ${reason(error)}`);
  }
}

/** Says whether typing the names will find the starters. */
async function tellPath(folder: string, names: readonly string[]): Promise<void> {
  const places = (Deno.env.get("PATH") ?? "").split(":").filter((place) => place !== "");
  const here = await Deno.realPath(folder);
  const real = await Promise.all(places.map((place) => Deno.realPath(place).catch(() => place)));
  const at = real.indexOf(here);
  if (at < 0) {
    console.log(`It is not on your PATH. Add it so:\n  export PATH=${quote(folder)}:"$PATH"`);
    return;
  }
  console.log("It is on your PATH.");
  for (const name of names) {
    for (const place of places.slice(0, at)) {
      if (await isFile(`${place}/${name}`)) {
        console.log(`${place}/${name} comes first there.`);
        break;
      }
    }
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** The system's words for an error, without Deno's. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/ \(os error \d+\).*$/s, "");
}

if (import.meta.main) {
  try {
    Deno.exit(await install(Deno.args));
  } catch (error) {
    if (!(error instanceof InstallError)) throw error;
    console.error(`install: ${error.message}`);
    Deno.exit(1);
  }
}
