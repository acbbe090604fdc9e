/**
 * `moa img commit` and the real qemu-img side by side; `info`, `check` and a checksum of what the guest sees follow.
 *
 * @module
 */
import { haveProgram } from "../support/programs.ts";
import { imgSideBySide } from "../support/side_by_side.ts";

const ignore = !haveProgram("qemu-img");

const IMAGES = [
  "qemu-img create -q -f qcow2 base 1M; qemu-io -c 'write -P 1 0 256k' base >/dev/null",
  "qemu-img create -q -f qcow2 -b base -F qcow2 mid; qemu-io -c 'write -P 2 64k 64k' mid >/dev/null",
  "qemu-img create -q -f qcow2 -b mid -F qcow2 top 2M",
  "qemu-io -c 'write -P 3 128k 64k' -c 'write -P 4 1M 64k' -c 'write -z 0 64k' top >/dev/null",
  "qemu-img create -q -f raw raw 1M; qemu-img create -q -f qcow2 -b raw -F raw onraw",
  "qemu-io -c 'write -P 9 4k 1k' onraw >/dev/null",
  "qemu-img create -q -f qcow2 lone 1M; mkdir sub; qemu-img create -q -f qcow2 -b ../mid -F qcow2 sub/up",
  "qemu-img create -q -f raw img1.raw 1M; qemu-img create -q -o backing_file=img1.raw,backing_fmt=raw -f qcow2 img1.qcow2",
];

/** What all images hold afterwards. */
const RESULT = ["info top", "info mid", "info base", "check top", "check base"];

Deno.test({
  name: "img commit: the command line",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "commit",
      "commit top mid",
      "commit raw",
      "commit lone",
      "commit -p lone",
      "commit missing",
      "commit -f nosuch top",
      "commit -t foo top",
      "commit -r x top",
      "commit -r 1x top",
      "commit -r -1 top",
      "commit -b nosuch top",
      "commit -b top top",
      "commit -b '' top",
      "commit --image-opts -f qcow2 driver=qcow2,file.filename=top",
      "commit --object foo top",
      "commit -x",
      "commit --nosuch top",
      ...RESULT,
    ]),
});

for (
  const [name, rows] of Object.entries({
    "into the backing file": ["commit top", "commit -q top", "commit -f qcow2 img1.qcow2"],
    "with progress": ["commit -p top"],
    "the overlay is kept": ["commit -d top", "commit -q -d mid"],
    "into a layer further down": ["commit -b base top"],
    "into the layer right below, by name": ["commit -q -p -b mid top"],
    "names count from the overlay's folder": ["commit -b ../base sub/up", "commit sub/up"],
    "into raw": ["commit -f qcow2 onraw", "info onraw"],
    "slowly, past the cache": ["commit -r 100M -t none top"],
    "a description": ["commit --image-opts driver=qcow2,file.filename=top"],
  })
) {
  Deno.test({
    name: `img commit: ${name}`,
    ignore,
    fn: () =>
      imgSideBySide(IMAGES, [...rows, ...RESULT], ["top", "mid", "base", "onraw", "raw", "sub/up", "img1.qcow2"]),
  });
}
