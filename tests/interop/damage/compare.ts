/**
 * The same damage to two copies of an image, `moa img check` over the one, `qemu-img check` over the other.
 *
 * @module
 */
import { SeededRandom } from "../../../base/random.ts";
import { type ImgRequest, runMoaImg } from "../../support/moa_img.ts";
import { patchFile } from "../../support/patch.ts";
import { must, run } from "../../support/programs.ts";
import { TempFolder } from "../../support/temp.ts";
import { type Damages, damagesFor } from "./damages.ts";
import { type Master, MASTERS } from "./masters.ts";

/** What differs between the two programs for one seed. */
export interface Difference {
  readonly seed: number;
  readonly master: string;
  readonly args: readonly string[];
  readonly damages: readonly string[];
  /** Which of them differ: exit status, output, errors, what the real program says afterwards, the file's bytes. */
  readonly fields: readonly string[];
  readonly moa: Outcome;
  readonly real: Outcome;
}

/** How one program answered, and what it left. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What `qemu-img check` says of the image afterwards. */
  readonly left: string;
  readonly image: Uint8Array;
}

const ARGS: readonly (readonly string[])[] = [
  ["check"],
  ["check", "-r", "leaks"],
  ["check", "-r", "all"],
  ["check", "-r", "all"],
  ["check", "-r", "all"],
  ["check", "--output=json", "-r", "all"],
  ["check", "-q"],
];
/** Repairs may make a file very long; what they write lies at its beginning. */
const MOST_BYTES = 4 << 20;

interface Case {
  readonly seed: number;
  readonly master: Master;
  readonly args: readonly string[];
  readonly damages: Damages;
}

/** How {@link compareDamaged} is run. */
export interface CompareOptions {
  readonly firstSeed: number;
  readonly runs: number;
  /** Only images of this name. */
  readonly master?: string | undefined;
}

/** Runs the seeds and tells what differs. */
export async function compareDamaged(options: CompareOptions): Promise<Difference[]> {
  await using temp = await TempFolder.make();
  const masters = MASTERS.filter(({ name }) => options.master === undefined || name === options.master);
  const sound = await makeMasters(temp, masters);
  const cases: Case[] = [];
  for (let seed = options.firstSeed; seed < options.firstSeed + options.runs; seed++) {
    const random = new SeededRandom(seed);
    const master = masters[random.below(masters.length)]!;
    const args = ARGS[random.below(ARGS.length)]!;
    cases.push({ seed, master, args, damages: damagesFor(random, sound.get(master.name)!) });
  }
  const requests: ImgRequest[] = [];
  for (const { seed, master, args, damages } of cases) {
    for (const side of ["moa", "real"]) {
      const folder = temp.file(`${seed}-${side}`);
      await Deno.mkdir(folder);
      await Deno.writeFile(`${folder}/image`, sound.get(master.name)!);
      // What some images name as the place of their data.
      await Deno.writeFile(`${folder}/data`, new Uint8Array(0));
      await apply(`${folder}/image`, damages);
    }
    requests.push({ folder: temp.file(`${seed}-moa`), args: [...args, "-f", "qcow2", "image"] });
  }
  const answers = await runMoaImg(requests);
  const differences: Difference[] = [];
  for (const [index, one] of cases.entries()) {
    const moa = await outcome(temp.file(`${one.seed}-moa`), answers[index]!);
    const folder = temp.file(`${one.seed}-real`);
    const real = await outcome(folder, await run("qemu-img", [...one.args, "-f", "qcow2", "image"], { cwd: folder }));
    const fields = differing(moa, real, one.master);
    if (fields.length === 0) continue;
    const damages = one.damages.patches.map(({ what }) => what);
    if (one.damages.lengthBytes !== undefined) damages.push(`a length of ${one.damages.lengthBytes}`);
    differences.push({ seed: one.seed, master: one.master.name, args: one.args, damages, fields, moa, real });
  }
  return differences;
}

async function makeMasters(temp: TempFolder, masters: readonly Master[]): Promise<Map<string, Uint8Array>> {
  const made = new Map<string, Uint8Array>();
  for (const { name, make } of masters) {
    const cwd = temp.file(`master-${name}`);
    await Deno.mkdir(cwd);
    for (const line of make) await must("sh", ["-ec", line], { cwd });
    made.set(name, await Deno.readFile(`${cwd}/image`));
  }
  return made;
}

async function apply(path: string, damages: Damages): Promise<void> {
  for (const { at, bytes } of damages.patches) await patchFile(path, at, bytes);
  if (damages.lengthBytes !== undefined) await Deno.truncate(path, damages.lengthBytes);
}

async function outcome(
  folder: string,
  answer: { readonly code: number; readonly stdout: string; readonly stderr: string },
): Promise<Outcome> {
  const left = await run("qemu-img", ["check", "-f", "qcow2", "image"], { cwd: folder });
  const image = new Uint8Array(MOST_BYTES);
  using file = await Deno.open(`${folder}/image`);
  const length = await file.read(image) ?? 0;
  const { code, stdout, stderr } = answer;
  return { code, stdout, stderr, left: left.stdout + left.stderr, image: image.subarray(0, length) };
}

function differing(moa: Outcome, real: Outcome, master: Master): string[] {
  const fields: string[] = [];
  for (const field of ["code", "stdout"] as const) if (moa[field] !== real[field]) fields.push(field);
  // What is said when bitmaps are written anew over damaged counts depends on where they go.
  const told = ({ stderr }: Outcome) =>
    master.movesBitmaps ? stderr.replaceAll("qcow2_free_clusters failed: Invalid argument\n", "") : stderr;
  if (told(moa) !== told(real)) fields.push("stderr");
  if (master.movesBitmaps) return fields;
  if (moa.left !== real.left) fields.push("left");
  const sameImage = moa.image.length === real.image.length && moa.image.every((byte, at) => byte === real.image[at]);
  if (!sameImage) fields.push("image");
  return fields;
}
