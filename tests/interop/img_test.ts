/**
 * `moa img` and the real qemu-img side by side: each row is run by both in equal folders; outputs, exit status and the
 * images that result have to be equal.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { runMoaImg } from "../support/moa_img.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { imgSideBySide } from "../support/side_by_side.ts";
import { TempFolder } from "../support/temp.ts";

/** Whether both made the same bytes, and the real program finds nothing wrong with ours. */
async function sameImages(rows: readonly string[]): Promise<void> {
  await using ours = await TempFolder.make();
  await using theirs = await TempFolder.make();
  const moa = await runMoaImg(rows.map((row) => ({ folder: ours.path, args: row.split(" ") })));
  for (const [index, row] of rows.entries()) {
    const args = row.split(" ");
    const file = args.findLast((word) => word.startsWith("img"))!;
    await must("qemu-img", args, { cwd: theirs.path });
    assertEquals([moa[index]?.code, moa[index]?.stderr], [0, ""], row);
    const difference = await run("cmp", [`${ours.path}/${file}`, `${theirs.path}/${file}`]);
    assertEquals(difference.stdout.replaceAll(ours.path, "").replaceAll(theirs.path, ""), "", row);
    if (row.startsWith("create -q -f qcow2")) {
      await must("qemu-img", ["check", "-f", "qcow2", file], { cwd: ours.path });
    }
  }
}

const ignore = !haveProgram("qemu-img");

const IMAGES = [
  "qemu-img create -q -f qcow2 base 1M",
  "qemu-img create -q -f qcow2 -b base -F qcow2 mid",
  "qemu-img create -q -f qcow2 -b mid -F qcow2 top",
  "qemu-img create -q -f qcow2 snapped 1M && qemu-img snapshot -c s1 snapped && qemu-img snapshot -c 'snap two' snapped",
  "qemu-img create -q -f raw raw 1M",
  "qemu-img create -q -f qcow2 -o compat=0.10 old 1M",
  "qemu-img create -q -f qcow2 -o lazy_refcounts=on,refcount_bits=8,preallocation=metadata full 1M",
  "qemu-img create -q -f qcow2 packed 1M && qemu-io -f qcow2 -c 'write -c 0 64k' -c 'write 128k 64k' packed >/dev/null",
  "mkdir sub && cd sub && qemu-img create -q -f qcow2 -b ../base -F qcow2 up",
  "head -c 300 base >cut; echo text >text; : >empty",
];

Deno.test({
  name: "img: the command line is read as qemu-img reads it",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "",
      "nosuch",
      "--nosuch",
      "create",
      "create -f",
      "create -x",
      "create --nosuch f",
      "create -f qcow2",
      "create --object secret,help",
      "snapshot -l -c x --object secret,help",
      "info --image-opts driver=qcow2,file.filename=top,backing.driver=raw",
      'info json:{"driver":"qcow2","file.filename":"top","backing":"x"}',
      'info json:{"driver":"qcow2","file.filename":"top","backing":null}',
      "create f.raw",
      "create -f nosuch f 1M",
      "create -f qcow2 f 1M 2M",
      "create -f qcow2 f abc",
      "create -f qcow2 f 1.5b",
      "create -f qcow2 f -1",
      "create -f qcow2 f 8E",
      "create -f qcow2 f 16E",
      "create -f qcow2 -o '' f 1M",
      "create -f qcow2 -o ,size=1 f 1M",
      "create -f qcow2 -o size=1, f 1M",
      "create -f raw --object foo q 1M",
      "info",
      "info --output=xml base",
      "info --output",
      "info base mid",
      "info -f nosuch base",
      "check",
      "check -r foo base",
      "check -T foo base",
      "check --output=xml base",
      "snapshot",
      "snapshot -l -c x base",
      "snapshot -f qcow2 -l base",
      "snapshot --list base",
    ]),
});

Deno.test({
  name: "img create: the line it prints, and what it refuses",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "create -f qcow2 f 1M",
      "create -q -f qcow2 f 1M",
      "create -f raw r 0x10K",
      "create r2 1.5M",
      "create -f qcow2 -o help",
      "create -f qcow2 -o help f",
      "create -f qcow2 -o ? f",
      "create -o help",
      "create -f raw -o help f",
      "create -f qcow2 -o nosuch=1 f 1M",
      "create -f qcow2 -o compat=2 f 1M",
      "create -f qcow2 -o cluster_size=1000 f 1M",
      "create -f qcow2 -o cluster_size=x f 1M",
      "create -f qcow2 -o lazy_refcounts=maybe f 1M",
      "create -f qcow2 -o compat=1.1,lazy_refcounts=on g 4G",
      "create -f qcow2 -b base h 5M",
      "create -f qcow2 -b base -F qcow2 h",
      "create -f qcow2 -o backing_file=base,backing_fmt=qcow2 h2",
      "create -f qcow2 -b missing -F qcow2 h3",
      "create -u -f qcow2 -b missing -F qcow2 h3",
      "create -u -f qcow2 -b missing -F qcow2 h3 1M",
      "create -f raw -b base r3 1M",
      "create -f qcow2 -b base -F nosuch h4",
      "create -f qcow2 -b base -F nosuch h4 1M",
      "create -u -f qcow2 -b base -F nosuch h4 1M",
      "create -f qcow2 -F qcow2 q 1M",
      "create /nosuch/x 1M",
      "create -f qcow2 /nosuch/x 1M",
      "create -f qcow2 -o preallocation=foo p 1M",
      "create -f qcow2 -o preallocation=metadata,cluster_size=2M p 10M",
      "create -f qcow2 -o refcount_bits=3 p 1M",
      "create -f qcow2 -o compat=0.10,refcount_bits=8 p 1M",
      "create -f qcow2 -o compat=0.10,lazy_refcounts=on p 1M",
      "create -f qcow2 -o size=3M q",
      "create -f qcow2 -o size=3M q 1M",
      "create -f qcow2 -o lazy_refcounts q 1M",
      "create -f qcow2 -o cluster_size=64k,cluster_size=4k q 1M",
      "create -f qcow2 -o cluster_size=64k -o cluster_size=4k q 1M",
      "create -f qcow2 x,y 512",
      "create -f qcow2 none 0",
      "create -f file plain 1M",
    ]),
});

Deno.test({
  name: "img create: the same bytes as qemu-img's",
  ignore,
  fn: () =>
    sameImages([
      "create -q -f raw img0 1M",
      "create -q -f qcow2 img1 1M",
      "create -q -f qcow2 -o compat=0.10 img2 10G",
      "create -q -f qcow2 -o cluster_size=512 img3 1M",
      "create -q -f qcow2 -o cluster_size=2M,refcount_bits=1 img4 100M",
      "create -q -f qcow2 -o refcount_bits=64,lazy_refcounts=on img5 3M",
      "create -q -f qcow2 -o preallocation=metadata img6 4M",
      "create -q -f qcow2 -b img1 -F qcow2 img7",
      "create -q -f qcow2 -b img0 -F raw img8 2M",
      "create -q -f raw -o preallocation=full img9 1M",
      "create -q -f qcow2 -o preallocation=falloc img10 1M",
    ]),
});

Deno.test({
  name: "img info: text and JSON",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "info base",
      "info -f qcow2 top",
      "info --backing-chain top",
      "info --output=json snapped",
      "info snapped",
      "info --output json --backing-chain top",
      "info raw",
      "info --output=json raw",
      "info old",
      "info --output=json old",
      "info full",
      "info sub/up",
      "info --output=json sub/up",
      "info --backing-chain sub/up",
      "info -U base",
      "info -f raw base",
      "info -f qcow2 raw",
      "info cut",
      "info -f qcow2 text",
      "info text",
      "info empty",
      "info missing",
      "info sub",
      "info /",
      "info --image-opts driver=qcow2,file.filename=base",
      "info --image-opts driver=qcow2,file.driver=file,file.filename=mid",
      "info --image-opts driver=nosuch,file.filename=mid",
      "info --image-opts file.filename=missing",
      'info json:{"driver":"qcow2","file":{"driver":"file","filename":"base"}}',
      "$ rm base",
      "info mid",
      "info --backing-chain top",
    ]),
});

Deno.test({
  name: "img check: findings, repair, exit status",
  ignore,
  fn: () =>
    imgSideBySide([
      ...IMAGES,
      // The second byte of the refcount of cluster 3, in the refcount block that is cluster 2.
      "cp snapped leaky; printf '\\000\\002' | dd of=leaky bs=1 seek=131078 conv=notrunc 2>/dev/null",
      "cp snapped broken; printf '\\000\\000' | dd of=broken bs=1 seek=131078 conv=notrunc 2>/dev/null",
    ], [
      "check base",
      "check --output=json base",
      "check --output=human top",
      "check full",
      "check --output=json full",
      "check packed",
      "check --output=json packed",
      "check -q base",
      "check raw",
      "check -f raw base",
      "check missing",
      "check -r all base",
      "check leaky",
      "check --output=json leaky",
      "check -q leaky",
      "check -r leaks leaky",
      "check leaky",
      "check broken",
      "check --output=json broken",
    ]),
});

Deno.test({
  name: "img snapshot: list, create, apply, delete",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "snapshot -l snapped",
      "snapshot snapped",
      "snapshot -l raw",
      "snapshot -l base",
      "snapshot -l missing",
      "snapshot -c x raw",
      "snapshot --image-opts -a x driver=raw,file.filename=raw",
      "snapshot -d x raw",
      "snapshot -a nosuch snapped",
      "snapshot -d nosuch snapped",
      "snapshot -d s1 snapped",
      "snapshot -a 'snap two' snapped",
      "snapshot -c s snapped",
      "snapshot -c s snapped",
      "snapshot -a 2 snapped",
      "snapshot -l snapped",
      "snapshot -d s snapped",
      "snapshot -q -l snapped",
      "snapshot -U -l snapped",
      "snapshot -U -c z snapped",
      "check snapped",
    ]),
});
