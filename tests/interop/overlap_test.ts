/**
 * Overlap checks: a guest cluster that an entry puts on metadata, written under each template and each switch, is refused
 * or written as by the real program, which leaves the same bytes.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { runMoaIo } from "../support/moa_io.ts";
import { patchNumber } from "../support/patch.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const CLUSTER = 4096;
const MAKE = [
  `qemu-img create -q -f qcow2 -o cluster_size=${CLUSTER} image 1M`,
  "qemu-io -f qcow2 -c 'write 0 8k' image >/dev/null",
  "qemu-img snapshot -c one image",
  "qemu-io -f qcow2 -c 'write 0 4k' image >/dev/null",
  "qemu-img bitmap --add image bits",
];

const SWITCHES =
  "active-l1 active-l2 refcount-table refcount-block snapshot-table inactive-l1 inactive-l2 bitmap-directory"
    .split(" ");

/** Where each kind of metadata lies, by the specification: [QCOW2] "Header", "Snapshots", "Bitmaps extension". */
function placesOf(bytes: Uint8Array): Readonly<Record<string, number>> & { readonly "active-l2": number } {
  const view = new DataView(bytes.buffer);
  const offset = (at: number) => Number(view.getBigUint64(at) & 0x00ff_ffff_ffff_fe00n);
  const [l1, refcountTable, snapshots] = [offset(40), offset(48), offset(64)];
  let extension = view.getUint32(100);
  while (view.getUint32(extension) !== 0x23852875) extension += 8 + Math.ceil(view.getUint32(extension + 4) / 8) * 8;
  return {
    "active-l1": l1,
    "active-l2": offset(l1),
    "refcount-table": refcountTable,
    "refcount-block": offset(refcountTable),
    "snapshot-table": snapshots,
    "inactive-l1": offset(snapshots),
    "inactive-l2": offset(offset(snapshots)),
    "bitmap-directory": offset(extension + 24),
  };
}

function* optionsFor(kind: string): Generator<string> {
  for (const template of ["none", "constant", "cached", "all"]) yield `overlap-check=${template}`;
  yield `overlap-check.template=all,overlap-check.${kind}=off`;
  yield `overlap-check.template=none,overlap-check.${kind}=on`;
  yield `overlap-check.${kind}=on`;
}

/** Without times, and without what is said at the end of bitmaps whose directory has just been written over. */
const level = (text: string) =>
  text.replaceAll(/; [\d:.]+(?: sec)? \([^)]*\)/g, "; TIME").replaceAll(/^.*Lost persistent bitmaps.*\n/gm, "");

Deno.test({
  name: "overlap checks refuse what the real program refuses, under each template and switch",
  ignore: !haveProgram("qemu-io"),
  fn: async () => {
    await using temp = await TempFolder.make();
    for (const line of MAKE) await must("sh", ["-ec", line], { cwd: temp.path });
    const sound = await Deno.readFile(temp.file("image"));
    const places = placesOf(sound);
    const cases = SWITCHES.flatMap((kind) => [...optionsFor(kind)].map((options) => ({ kind, options })));
    const COMMANDS = ["-c", "write 0 512", "-c", "read 0 512"];
    const rows: { args: string[]; folder: string; other: string; what: string }[] = [];
    for (const [index, { kind, options }] of cases.entries()) {
      const folders = [temp.file(`moa${index}`), temp.file(`real${index}`)] as const;
      for (const folder of folders) {
        await Deno.mkdir(folder);
        await Deno.writeFile(`${folder}/image`, sound);
        await patchNumber(`${folder}/image`, places["active-l2"], 8, BigInt(places[kind]!) | (1n << 63n));
      }
      const args = ["--image-opts", ...COMMANDS, `driver=qcow2,file.filename=image,${options}`];
      rows.push({ args, folder: folders[0], other: folders[1], what: `${kind}: ${options}` });
    }
    const answers = await runMoaIo(rows.map(({ args, folder }) => ({ folder, args, typed: "" })));
    for (const [index, { args, folder, other, what }] of rows.entries()) {
      const real = await run("qemu-io", args, { cwd: other });
      const { code, stdout, stderr } = answers[index]!;
      const wanted = { what, code: real.code, stdout: level(real.stdout), stderr: level(real.stderr) };
      assertEquals({ what, code, stdout: level(stdout), stderr: level(stderr) }, wanted);
      // Header and extensions: the corrupt mark, and nothing else of it.
      const head = async (path: string) => (await Deno.readFile(`${path}/image`)).subarray(0, 112);
      assertEquals(await head(folder), await head(other), what);
    }
  },
});
