/**
 * `moa img resize` and the real qemu-img side by side.
 *
 * @module
 */
import { haveProgram } from "../support/programs.ts";
import { imgSideBySide, sideBySide } from "../support/side_by_side.ts";

const ignore = !haveProgram("qemu-img");

const IMAGES = [
  "qemu-img create -q -f qcow2 a 1M; qemu-io -c 'write -P 7 512k 512k' a >/dev/null",
  "qemu-img create -q -f raw r 1M",
  "qemu-img create -q -f qcow2 s 1M && qemu-img snapshot -c x s",
  "qemu-img create -q -f qcow2 -o compat=0.10 o 1M && qemu-img snapshot -c x o",
  "qemu-img create -q -f qcow2 big 40G",
  "qemu-img create -q -f qcow2 -b a -F qcow2 over 512k",
];

const GUEST_DATA = "$ qemu-img convert -O raw a a.out; md5sum <a.out >sum; rm a.out";

Deno.test({
  name: "img resize: the command line",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "resize",
      "resize a",
      "resize -f qcow2",
      "resize a 0",
      "resize a -1M",
      "resize a -2M",
      "resize --shrink a -2M",
      "resize a 512",
      "resize a 700",
      "resize --shrink a 700",
      "resize a +700",
      "resize a abc",
      "resize a +abc",
      "resize a -abc",
      "resize a ++1M",
      "resize a 1.5b",
      "resize a 9E",
      "resize a 16E",
      "resize a +8E",
      "resize a +9000P",
      "resize -f 7M",
      "resize -f nosuch a 7M",
      "resize --image-opts -f raw driver=qcow2,file.filename=a 7M",
      "resize missing 7M",
      "resize a b 7M",
      "resize --nosuch a 1M",
      "resize -x a 1M",
      "resize a 1M -q",
      "resize 1M",
      "resize --object foo a 9M",
      "resize --preallocation=foo a 3M",
      "resize --preallocation=metadata -f raw r 4M",
      "resize --preallocation=full -f raw --shrink r 512k",
      "resize --preallocation=full --shrink a -512k",
      "resize o 2M",
      "info a",
      "info r",
    ]),
});

Deno.test({
  name: "img resize: sizes change, data stays",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "resize a +1M",
      "info a",
      "resize --shrink a -1M",
      "resize a +0",
      "resize a 1M",
      "resize -- a -0",
      "resize -q a +1M",
      GUEST_DATA,
      "resize r 2M",
      "resize r 1M",
      "resize --shrink r 1M",
      "resize -f raw r 2M",
      "resize -f raw --preallocation=full r 3M",
      "resize -f raw r 0x100k",
      "resize -f raw r +700",
      "info -f raw r",
      "resize --preallocation=metadata a +1M",
      "resize --preallocation=falloc a +1M",
      "check a",
      "resize s 2M",
      "info s",
      "resize --image-opts driver=qcow2,file.filename=a 7M",
      "resize a -- 9M",
      "resize -f qcow2 big +10G",
      "resize -f qcow2 big +20G",
      "resize -f qcow2 big -19G",
      "resize -f qcow2 --shrink big -19G",
      "info big",
      "check big",
      "resize over 2M",
      "info over",
    ]),
});

Deno.test({
  name: "img resize: a file that shrinks ends where qemu-img lets it end",
  ignore,
  fn: () =>
    sideBySide({
      setUp: [
        "qemu-img create -q -f qcow2 -o cluster_size=512 fine 8M; qemu-io -c 'write 0 4M' -c 'write 7M 512k' fine >/dev/null",
        "qemu-img create -q -f qcow2 -o cluster_size=4k,refcount_bits=64 wide 8M; qemu-io -c 'write 0 4M' wide >/dev/null",
        "qemu-img create -q -f qcow2 kept 8M; qemu-io -c 'write 0 4M' kept >/dev/null; qemu-img snapshot -c a kept",
        "qemu-img create -q -f qcow2 -o extended_l2=on sub 8M; qemu-io -c 'write 0 4M' -c 'write 5M 3k' sub >/dev/null",
      ],
      rows: [
        "resize --shrink fine 100k",
        "resize --shrink wide 100k",
        "resize --shrink kept 100k",
        "resize --shrink sub 5123k",
        "check fine",
        "check wide",
        "check kept",
        "check sub",
        "resize fine 6M",
        "resize sub 6M",
      ],
      verify: ["check fine", "check wide", "check kept", "check sub"],
      sameData: ["fine", "wide", "kept", "sub"],
    }),
});
