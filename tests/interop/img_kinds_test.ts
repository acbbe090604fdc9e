/**
 * Each kind of qcow2 image under the subcommands that look at its metadata: `info`, `measure`, `snapshot`, `check` and
 * `resize`, side by side with the real qemu-img.
 *
 * @module
 */
import { haveProgram } from "../support/programs.ts";
import { imgSideBySide } from "../support/side_by_side.ts";

const ignore = !haveProgram("qemu-img");

const IMAGES = [
  "qemu-img create -q -f qcow2 a 2M; qemu-io -c 'write 0 300k' a >/dev/null",
  "qemu-img create -q -f qcow2 -o extended_l2=on ext 2M; qemu-io -c 'write 3k 5k' -c 'write 1M 2k' ext >/dev/null",
  "qemu-img create -q -f qcow2 -o data_file=datd dat 1M; qemu-io -c 'write 0 100k' dat >/dev/null",
  "qemu-img create -q -f qcow2 -o compression_type=zstd zst 1M",
  "qemu-img create -q -f qcow2 bit 1M; qemu-img bitmap --add bit b0; qemu-img bitmap --add --disable -g 4k bit b1",
  "qemu-img create -q -f qcow2 snap 1M; qemu-io -c 'write 0 100k' snap >/dev/null; qemu-img snapshot -c x snap",
  "qemu-io -c 'write 0 10k' snap >/dev/null; qemu-img create -q -f qcow2 -o lazy_refcounts=on,refcount_bits=8 lazy 1M",
  "qemu-img create -q --object secret,id=s,data=foo -f qcow2 -o encrypt.format=aes,encrypt.key-secret=s aes 1M",
  "qemu-img create -q -f qcow2 cor 1M; printf '\\2' | dd of=cor bs=1 seek=79 conv=notrunc 2>/dev/null",
];
const KINDS = "a ext dat zst bit snap lazy aes cor".split(" ");

Deno.test({
  name: "img info and check: each kind of qcow2 image",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, KINDS.flatMap((name) => [`info ${name}`, `info --output=json ${name}`, `check ${name}`])),
});

Deno.test({
  name: "img measure: each option of qcow2",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      ...[
        "cluster_size=512",
        "cluster_size=2M",
        "cluster_size=1000",
        "refcount_bits=1",
        "refcount_bits=64",
        "refcount_bits=3",
        "compat=0.10",
        "compat=9",
        "compat=0.10,refcount_bits=8",
        "compat=0.10,extended_l2=on",
        "extended_l2=on",
        "extended_l2=on,cluster_size=16k",
        "extended_l2=on,cluster_size=4k",
        "preallocation=metadata",
        "preallocation=falloc",
        "preallocation=full",
        "data_file=foo",
        "data_file=foo,data_file_raw=on",
        "lazy_refcounts=on,nocow=on",
        "compression_type=zstd",
        "size=2G",
        "encryption=on",
      ].map((options) => `measure -O qcow2 -o ${options} --size 1G`),
      ...["0", "511", "1T", "9E"].map((size) => `measure -O qcow2 --size ${size}`),
      ...["a", "ext", "dat", "bit", "-l x snap"].map((source) => `measure -O qcow2 ${source}`),
      "measure -O qcow2 -o preallocation=falloc a",
      "measure -O qcow2 -o backing_file=a,backing_fmt=qcow2 ext",
      "measure -O qcow2 --output=json bit",
    ]),
});

Deno.test({
  name: "img snapshot and resize: subclusters, data files, names that are ids",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "snapshot -c y dat",
      "snapshot -l dat",
      "snapshot -c a ext",
      "$ qemu-io -c 'write 4k 9k' -c 'write 1M 64k' -c 'write -z 0 1k' ext >/dev/null",
      "snapshot -c b ext",
      "snapshot -a a ext",
      "check ext",
      "snapshot -d a ext",
      "$ qemu-img check -q ext",
      "snapshot -a nosuch ext",
      "snapshot -c 1 snap",
      "snapshot -c x snap",
      "snapshot -d 1 snap",
      "snapshot -d 1 snap",
      "snapshot -l snap",
      "snapshot -a 1 snap",
      "snapshot -d x snap",
      "snapshot -l snap",
      "snapshot -c small snap",
      "resize snap 2M",
      "snapshot -c large snap",
      "snapshot -a small snap",
      "$ qemu-img check -q snap",
      "resize dat 2M",
      "resize --shrink dat 1M",
      "check dat",
      "resize ext 3M",
      "resize --shrink ext 1M",
      "$ qemu-img check -q ext",
    ], ["ext", "snap"]),
});
