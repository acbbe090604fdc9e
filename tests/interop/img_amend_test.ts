/**
 * `moa img amend` and `moa img bitmap` side by side with the real qemu-img.
 *
 * @module
 */
import { haveProgram } from "../support/programs.ts";
import { imgSideBySide } from "../support/side_by_side.ts";

const ignore = !haveProgram("qemu-img");

const IMAGES = [
  "qemu-img create -q -f qcow2 a 1M; qemu-io -c 'write -P 7 0 100k' a >/dev/null",
  "qemu-img create -q -f raw r 1M; qemu-img create -q -f qcow2 -b a -F qcow2 b",
  "qemu-img create -q -f qcow2 s 1M && qemu-img snapshot -c x s",
  "qemu-img create -q -f qcow2 -o refcount_bits=8 small 1M",
];

Deno.test({
  name: "img amend: options change, or are refused",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "amend",
      "amend a",
      "amend -o size=2G",
      "amend -o help",
      "amend -f qcow2 -o help",
      "amend -o help a",
      "amend -o '?' a",
      "amend -f nosuch -o help",
      "amend -o lazy_refcounts=on a",
      "info a",
      "amend -o lazy_refcounts=off a",
      "amend -p -o lazy_refcounts=on a",
      "amend -q -p -o compat=0.10 a",
      "info a",
      "check a",
      "amend -o lazy_refcounts=on a",
      "amend -o compat=1.1 a",
      "amend -o compat=v3 a",
      "info a",
      "amend -o compat=9 a",
      "amend -o cluster_size=4k a",
      "amend -o preallocation=full a",
      "amend -o compression_type=zstd a",
      "amend -o nosuch=1 a",
      "amend -o refcount_bits=3 a",
      "amend -o refcount_bits=16 a",
      "amend -o compat=0.10 small",
      "amend -o size=3M s",
      "amend -o compat=0.10 s",
      "amend -o size=2M a",
      "amend -o size=1M a",
      "amend -o backing_file=nosuch,backing_fmt=qcow2 b",
      "amend -o backing_file=nosuch b",
      "amend -o backing_fmt=raw b",
      "amend -o backing_file= b",
      "amend -o data_file=x a",
      "amend -o data_file_raw=on a",
      "amend -o size=1M r",
      "amend -f raw -o size=1M r",
      "amend -t foo -o lazy_refcounts=on a",
      "amend -f nosuch -o lazy_refcounts=on a",
      "amend -o '' a",
      "amend -o ,a=b a",
      "amend -o lazy_refcounts=maybe a",
      "amend --force -o lazy_refcounts=off a",
      "amend --image-opts -o lazy_refcounts=off driver=qcow2,file.filename=a",
      "amend missing -o lazy_refcounts=off",
      "amend a b -o lazy_refcounts=off",
      "amend --object foo -o lazy_refcounts=off a",
      "info a",
      "info b",
      "info s",
      "check a",
    ], ["a", "b"]),
});

Deno.test({
  name: "img bitmap: the command line, and formats without bitmaps",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "bitmap",
      "bitmap a",
      "bitmap --add",
      "bitmap --add a",
      "bitmap --add a b0 b1",
      "bitmap -g 32k --remove a b2",
      "bitmap --add -f raw r b0",
      "bitmap --enable r b0",
      "bitmap -b a --enable a b0",
      "bitmap -F qcow2 --merge b0 a b0",
      "bitmap --add missing b0",
      "bitmap --list a",
      "bitmap --add --object foo a b5",
      "bitmap -g x --add a b7",
    ]),
});
