/**
 * `moa img rebase` and the real qemu-img side by side; afterwards both have the same chain with the same data.
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
  "qemu-io -c 'write -P 3 128k 64k' -c 'write -P 4 1M 64k' top >/dev/null",
  "qemu-img create -q -f raw raw 1M; qemu-img create -q -f qcow2 lone 1M",
  "qemu-img create -q -f raw short 192k; qemu-io -f raw -c 'write -P 1 0 64k' short >/dev/null",
  "qemu-img create -q -f qcow2 other 3M; qemu-io -c 'write -P 1 0 200k' -c 'write -P 6 900k 2M' other >/dev/null",
  "mkdir sub; qemu-img create -q -f qcow2 -b ../base -F qcow2 sub/up",
];

Deno.test({
  name: "img rebase: the command line",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "rebase",
      "rebase top",
      "rebase -b base",
      "rebase -b base top",
      "rebase -u -b base top",
      "rebase -u -b base -F nosuch top",
      "rebase -b base -F nosuch top",
      "rebase -b nosuch -F qcow2 top",
      "rebase -b nosuch top",
      "rebase -b raw -F raw raw",
      "rebase -u -b base -F qcow2 -u raw",
      "rebase -u -b '' -F qcow2 raw",
      "rebase -b mid -F qcow2 mid",
      "rebase -b top -F qcow2 mid",
      "rebase -t foo -b base -F qcow2 top",
      "rebase -T foo -b base -F qcow2 top",
      "rebase -c -b base -F qcow2 top",
      "rebase -b base -F qcow2 sub/up",
      "rebase -f qcow2 missing -b base",
      "rebase -u missing -b base",
      "rebase --image-opts -f qcow2 -b base -F qcow2 driver=qcow2,file.filename=top",
      "rebase -F qcow2 top",
      "rebase -b base -F qcow2 top mid",
      "rebase --object foo -b base top",
      "rebase -p -b nosuch -F qcow2 top",
      "info top",
      "info mid",
      "info sub/up",
    ], ["mid", "sub/up"]),
});

for (
  const [name, rows] of Object.entries({
    "onto a layer of its own chain": ["rebase -b base -F qcow2 top"],
    "onto the layer that it has": ["rebase -b mid -F qcow2 top"],
    "onto nothing": ["rebase -b '' top"],
    "onto a shorter file": ["rebase -b short -F raw top"],
    "onto a longer file": ["rebase -p -b other -F qcow2 top"],
    "onto a file below nothing": ["rebase -b other -F qcow2 lone", "info lone"],
    "unsafely, there and back": [
      "rebase -u -b nosuch -F qcow2 top",
      "info top",
      "rebase -b base -F qcow2 top",
      "rebase -u -b '' top",
      "info top",
      "rebase -u -b mid -F qcow2 top",
      "rebase -u top",
      "rebase -u -b mid -F raw top",
      "rebase -U -u -b mid -F qcow2 top",
    ],
    "names count from the overlay's folder": [
      "rebase -b ../base -F qcow2 sub/up",
      "rebase -b ../mid -F qcow2 sub/up",
      "rebase -b ../short -F raw sub/up",
      "info sub/up",
    ],
    "a description, and cache modes": [
      "rebase --image-opts -t none -T none -b base -F qcow2 driver=qcow2,file.filename=top",
      "rebase -q -p -U -b other -F qcow2 top",
    ],
  })
) {
  Deno.test({
    name: `img rebase: ${name}`,
    ignore,
    fn: () => imgSideBySide(IMAGES, [...rows, "info top", "check top"], ["top", "mid", "base", "lone", "sub/up"]),
  });
}
