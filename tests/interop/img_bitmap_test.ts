/**
 * Persistent bitmaps side by side with the real qemu-img: the command, and what other commands make of images that have
 * some, whole and damaged.
 *
 * @module
 */
import { SLOW_HASH, untilMeasured } from "../support/key_slots.ts";
import { haveProgram } from "../support/programs.ts";
import { sideBySide } from "../support/side_by_side.ts";

const ignore = !haveProgram("qemu-img") || !haveProgram("qemu-io");

/** Two bitmaps with something in them; `in-use`: as a process that was killed leaves them; `stale`: written without. */
const IMAGES = [
  "qemu-img create -q -f qcow2 a 1M; qemu-img bitmap --add a b0; qemu-img bitmap --add -g 512 a b1",
  "qemu-io -c 'write -q 0 4k' -c 'write -q 100k 70k' -c 'write -q 900k 512' a; cp a two; cp a three",
  "cp a in-use; qemu-io -c 'write -q 0 64k' -c abort in-use >/dev/null 2>&1 || true",
  "cp a stale; printf '\\0\\0\\0\\0\\0\\0\\0\\0' | dd of=stale bs=1 seek=88 conv=notrunc status=none",
  "qemu-img create -q -f qcow2 -o compat=0.10 v2 1M; qemu-img create -q -f raw r 1M",
  "qemu-img create -q -f qcow2 -o cluster_size=512 small 1M; qemu-img bitmap --add small s",
  "qemu-img create -q -f qcow2 large 2M; qemu-img bitmap --add large l",
  "qemu-img create -q -f qcow2 big 4T; qemu-img create -q -f qcow2 e 1M",
  "qemu-img create -q -f qcow2 -b r -F raw over; qemu-img bitmap --add over o",
];

const NAME = "n".repeat(1023);

Deno.test({
  name: "img bitmap: all actions, and what is refused",
  ignore,
  fn: () =>
    sideBySide({
      setUp: IMAGES,
      rows: [
        "info a",
        "info --output=json a",
        "check a",
        "bitmap --add a b0",
        "bitmap --add -g 1000 a b2",
        "bitmap --add -g 256 a b2",
        "bitmap --add -g 4G a b2",
        "bitmap --add -g 2G a b2",
        "bitmap --add -g 0 a b3",
        "bitmap --add -g x a b4",
        "bitmap --add a ''",
        `bitmap --add a ${NAME}`,
        "info a",
        `bitmap --remove a ${NAME}`,
        `bitmap --add a ${NAME}n`,
        "bitmap --remove a nosuch",
        "bitmap --clear a nosuch",
        "bitmap --enable a nosuch",
        "bitmap --disable a nosuch",
        "bitmap --merge nosuch a b0",
        "bitmap --merge b0 a nosuch",
        "bitmap --merge b1 a b0",
        "bitmap --merge b0 a b0",
        "bitmap --disable a b1",
        "info --output=json a",
        "bitmap --enable a b1",
        "bitmap --clear a b0",
        "bitmap --add --disable --merge b1 a n1",
        "bitmap --add --clear --remove --remove a n2",
        "bitmap --merge s -b small -F qcow2 a n1",
        "bitmap --merge s -b small a n1",
        "bitmap --merge s -b nosuch a n1",
        "bitmap --merge s -b a a n1",
        "bitmap --merge s -b r -F raw a n1",
        "bitmap --merge l -b large a n1",
        "bitmap --add -b small a n1",
        "bitmap a n1",
        "bitmap",
        "bitmap --add a",
        "bitmap --add a b c",
        "bitmap --add nosuch q",
        "bitmap --clear -g 512 a q",
        "bitmap --merge b -F qcow2 a n1",
        "bitmap --add --image-opts driver=qcow2,file.filename=a q",
        "bitmap --add --image-opts -f qcow2 driver=qcow2,file.filename=a q",
        "bitmap --ad a q10",
        "bitmap --frob a q10",
        "bitmap --merge",
        "bitmap --add v2 x",
        "bitmap --remove v2 x",
        "bitmap --add -f raw r x",
        "bitmap --clear -f raw r x",
        "bitmap --add -g 512 big x",
        "bitmap --add -g 1k big x",
        "info a",
        "check a",
        "check big",
        "bitmap --remove big x",
        "info big",
        "check big",
        "info over",
        "bitmap --remove over o",
        "info over",
      ],
      verify: ["info a", "check a", "info big", "check big", "info over", "check over", "info --output=json small"],
      sameBytes: ["v2", "small", "large", "e", "over"],
    }),
});

Deno.test({
  name: "img bitmap: images are QEMU's to the byte",
  ignore,
  fn: () =>
    sideBySide({
      setUp: [
        "for i in a b c; do qemu-img create -q -f qcow2 $i 8M; done; qemu-io -c 'write -q 0 64k' b",
        "qemu-img create -q -f qcow2 -o cluster_size=512 d 2M; qemu-img bitmap --add -g 512 d x",
        "qemu-io -c 'write -q 0 2M' d; qemu-img create -q -f qcow2 -F qcow2 -b a e",
      ],
      rows: [
        "bitmap --add a x",
        "bitmap --add -g 512 a y",
        "bitmap --add --disable b z",
        "bitmap --add -g 512 b y",
        "bitmap --remove b z",
        "bitmap --add -g 32M c one",
        "bitmap --remove c one",
        "bitmap --add --merge x d y",
        "bitmap --add e x",
      ],
      sameBytes: ["a", "b", "c", "d", "e"],
    }),
});

Deno.test({
  name: "images with bitmaps: what other commands do with them",
  ignore,
  fn: () =>
    sideBySide({
      setUp: IMAGES,
      rows: [
        "measure -O qcow2 a",
        "measure -O qcow2 --output=json a",
        "measure -O qcow2 -o compat=0.10 a",
        "measure -O qcow2 -o cluster_size=512 a",
        "measure -O raw a",
        "measure -O qcow2 in-use",
        "measure -O qcow2 stale",
        "measure -O qcow2 v2",
        "convert --bitmaps -O qcow2 a c1",
        "info c1",
        "check c1",
        "bitmap --disable a b1",
        "convert --bitmaps -O qcow2 a c2",
        "info --output=json c2",
        "convert --bitmaps -O qcow2 -o cluster_size=512 a c3",
        "info c3",
        "convert --bitmaps -O raw a c4",
        "convert --bitmaps -O qcow2 -o compat=0.10 a c4",
        "convert --bitmaps -f raw -O qcow2 r c4",
        "convert --bitmaps -O qcow2 v2 c4",
        "convert --bitmaps -O qcow2 a a c4",
        "convert --skip-broken-bitmaps -O qcow2 a c4",
        "convert --bitmaps -O qcow2 in-use c4",
        "bitmap --add in-use b3",
        "convert --bitmaps --skip-broken-bitmaps -O qcow2 in-use c5",
        "info c5",
        "convert -n --bitmaps -O qcow2 a e",
        "info e",
        "convert -O qcow2 a c6",
        "info c6",
        "resize two 3M",
        "info two",
        "resize --shrink two 1M",
        "check two",
        "snapshot -c s two",
        "snapshot -a s two",
        "snapshot -l missing",
        "snapshot -d s two",
        "info two",
        "amend -o lazy_refcounts=on two",
        "info two",
        "check two",
        "info in-use",
        "check in-use",
        "resize in-use 2M",
        "bitmap --clear in-use b0",
        "bitmap --enable in-use b0",
        "bitmap --disable in-use b0",
        "bitmap --merge b1 in-use b0",
        "bitmap --merge b0 in-use b3",
        "bitmap --add in-use b0",
        "bitmap --remove in-use b0",
        "info in-use",
        "check in-use",
        "check -r all in-use",
        "info --output=json stale",
        "check stale",
        "bitmap --remove stale b0",
        "info stale",
        "check stale",
        "bitmap --add stale b0",
        "check -r leaks stale",
        "info stale",
      ],
      verify: ["info a", "check a", "check c1", "info c1", "check c2", "info c5", "check two", "info stale"],
      sameData: ["a", "two", "in-use", "c1", "c3"],
    }),
});

Deno.test({
  name: "commit and rebase mark what they write, in images that are QEMU's to the byte",
  ignore,
  fn: () =>
    sideBySide({
      setUp: [
        "for i in base other; do qemu-img create -q -f qcow2 $i 1M; qemu-io -c 'write -q 0 128k' $i; done",
        "qemu-img bitmap --add -g 64k base x",
        "for i in over over2; do qemu-img create -q -f qcow2 -b base -F qcow2 $i; qemu-img bitmap --add $i y; done",
        "qemu-io -c 'write -q 100k 20k' -c 'write -q 700k 4k' over; qemu-io -c 'write -q 300k 4k' other",
      ],
      rows: [
        "commit over",
        "info base",
        "rebase -b other -F qcow2 over2",
        "rebase -u -b base -F qcow2 over2",
        "info over",
      ],
      verify: ["check base", "check over", "check over2"],
      sameBytes: ["base", "over", "over2"],
    }),
});

const KEY = "--object secret,id=s,data=a";
const LUKS = "--image-opts driver=qcow2,encrypt.key-secret=s,file.filename=luks";

Deno.test({
  name: "bitmaps in images with subclusters, an external data file, encryption, narrow refcounts",
  ignore,
  fn: () =>
    sideBySide({
      setUp: [
        "qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128k ext 3M",
        "qemu-img create -q -f qcow2 -o data_file=data,data_file_raw=on split 4M",
        untilMeasured(
          `create -q ${KEY} -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,encrypt.${SLOW_HASH} luks 4M`,
        ),
        "qemu-img create -q -f qcow2 -o refcount_bits=1,cluster_size=1k,lazy_refcounts=on narrow 5M",
      ],
      rows: ["ext", "split", "narrow"].flatMap((name) => [
        `bitmap --add -g 4k ${name} e`,
        `bitmap --add --disable ${name} f`,
        `info ${name}`,
        `check ${name}`,
        `convert --bitmaps -O qcow2 ${name} of-${name}`,
        `info of-${name}`,
        `bitmap --remove ${name} e`,
        `check ${name}`,
      ]).concat([
        `bitmap --add ${KEY} -g 4k ${LUKS} e`,
        `bitmap --add ${KEY} ${LUKS} f`,
        `bitmap --remove ${KEY} ${LUKS} f`,
        `check ${KEY} ${LUKS}`,
        `convert --bitmaps ${KEY} -O qcow2 ${LUKS} of-luks`,
        "info of-luks",
      ]),
      verify: ["check ext", "check split", "check narrow", `check ${KEY} ${LUKS}`, "info ext", "info split"],
    }),
});
