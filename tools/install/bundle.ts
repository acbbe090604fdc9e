/**
 * moa as a folder of few files that start quickly: `moa.js`, the pieces that it loads when they are wanted, `assets/`.
 *
 * A bundle never changes: its folder is named for what is in it, so that a program that is running goes on finding its
 * pieces when a newer one is installed. The newest older bundle is kept for it, others are removed.
 *
 * @module
 */
import { createRequire } from "node:module";
import { ASSETS } from "../../base/assets.ts";

const V86_VERSION = "0.5.462";
const ROOT = new URL("../../", import.meta.url);

/** What went wrong with Deno's bundler, in its words. */
export class BundleError extends Error {
  override readonly name = "BundleError";
}

/** Makes the bundle in `folder/NAME`, unless it is there; resolves to `NAME`. @throws {BundleError} */
export async function makeBundle(folder: string): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const work = await Deno.makeTempDir({ dir: folder, prefix: "new-" });
  try {
    const split = ["--code-splitting", "--outdir", work];
    await bundle(["tools/moa.ts", ...split]);
    await hideImports(work);
    for (const [name, source] of Object.entries(ASSETS)) await bundle([source, "-o", `${work}/assets/${name}.js`]);
    await copyCpuCore(`${work}/assets`);
    const id = await digest(work);
    try {
      await Deno.rename(work, `${folder}/${id}`);
    } catch (error) {
      // The same bundle is there.
      if (!(await isFile(`${folder}/${id}/moa.js`))) throw error;
    }
    await removeOld(folder, id);
    return id;
  } finally {
    await Deno.remove(work, { recursive: true }).catch(() => {});
  }
}

/** The CPU's core, a file of an npm package, with the licences of what is in it. */
async function copyCpuCore(folder: string): Promise<void> {
  const { default: { version } } = await import("v86/package.json", { with: { type: "json" } });
  if (!version.startsWith(V86_VERSION)) throw new BundleError(`npm:v86 is ${version}, not ${V86_VERSION}`);
  await Deno.copyFile(createRequire(import.meta.url).resolve("v86/build/v86.wasm"), `${folder}/v86.wasm`);
  await Deno.copyFile(new URL("machine/cpu/v86/LICENCES.md", ROOT), `${folder}/v86-LICENCES.md`);
}

async function bundle(words: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "-q", "--frozen", "--platform", "deno", "--minify", ...words],
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new BundleError(new TextDecoder().decode(stderr).trim());
}

/**
 * Hides from Deno which pieces the pieces in `folder` may load: it would read and look into all of them at every start,
 * a third of the time that a short command takes. An import whose name is computed is looked at when it is reached.
 */
async function hideImports(folder: string): Promise<void> {
  for (const path of await filesBelow(folder)) {
    const text = await Deno.readTextFile(path);
    const hidden = text.replaceAll(/\bimport\(("\.\/[\w-]+\.js")\)/g, "import((0,$1))");
    if (hidden !== text) await Deno.writeTextFile(path, hidden);
  }
}

/** A name for all that is in a folder. */
async function digest(folder: string): Promise<string> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (const path of (await filesBelow(folder)).sort()) {
    parts.push(new TextEncoder().encode(`${path.slice(folder.length)}\n`), await Deno.readFile(path));
  }
  const all = new Uint8Array(await new Blob(parts).arrayBuffer());
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return hash.toHex().slice(0, 16);
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await filesBelow(path));
    else found.push(path);
  }
  return found;
}

/** Removes bundles but `current` and the one before it. */
async function removeOld(folder: string, current: string): Promise<void> {
  const others: { path: string; made: number }[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory || name === current || !/^[0-9a-f]{16}$/.test(name)) continue;
    const path = `${folder}/${name}`;
    others.push({ path, made: (await Deno.stat(path)).mtime?.getTime() ?? 0 });
  }
  others.sort((a, b) => b.made - a.made);
  for (const { path } of others.slice(1)) await Deno.remove(path, { recursive: true });
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
