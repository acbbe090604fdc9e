/**
 * The sound images that damage starts from: small, and together with every structure that a check walks.
 *
 * @module
 */

/** One image: shell lines that make `image` in the current folder with QEMU's own programs. */
export interface Master {
  readonly name: string;
  readonly make: readonly string[];
  /** Closing the image writes its bitmaps anew, and the two programs put them in different places: only texts compare. */
  readonly movesBitmaps?: boolean;
}

const create = (options: string, size = "1M") => `qemu-img create -q -f qcow2 -o ${options} image ${size}`;
const io = (...commands: readonly string[]) =>
  `qemu-io -f qcow2 ${commands.map((command) => `-c '${command}'`).join(" ")} image >/dev/null`;

/** Clusters are small in most, so that a few writes make several L2 tables. */
export const MASTERS: readonly Master[] = [
  { name: "plain", make: [create("cluster_size=64k"), io("write 0 192k", "write 512k 64k", "write -z 256k 64k")] },
  {
    name: "small-clusters",
    make: [create("cluster_size=512", "256k"), io("write 0 20k", "write 60k 3k", "write -z 30k 2k")],
  },
  { name: "version-2", make: [create("compat=0.10,cluster_size=4k"), io("write 0 40k", "write 600k 12k")] },
  {
    name: "snapshots",
    make: [
      create("cluster_size=4k", "4M"),
      io("write 0 20k", "write 3M 8k"),
      "qemu-img snapshot -c one image",
      io("write 4k 8k", "write -z 3M 4k"),
      "qemu-img snapshot -c two image",
      io("write 100k 12k"),
    ],
  },
  {
    name: "version-2-snapshots",
    make: [
      create("compat=0.10,cluster_size=1k", "512k"),
      io("write 0 10k"),
      "qemu-img snapshot -c one image",
      io("write 4k 20k", "write 300k 2k"),
    ],
  },
  {
    name: "narrow-counts",
    make: [create("refcount_bits=1,cluster_size=512", "128k"), io("write 0 9k", "write 90k 4k")],
  },
  { name: "two-bit-counts", make: [create("refcount_bits=2,cluster_size=4k"), io("write 0 32k")] },
  { name: "wide-counts", make: [create("refcount_bits=64,cluster_size=512", "256k"), io("write 0 40k")] },
  {
    name: "compressed",
    make: [
      "qemu-img create -q -f raw raw 512k",
      "qemu-io -f raw -c 'write -P 1 0 64k' -c 'write -P 2 100k 100k' raw >/dev/null",
      "qemu-img convert -c -O qcow2 -o cluster_size=4k raw image",
      io("write 0 6k", "write 400k 4k"),
    ],
  },
  {
    name: "bitmaps",
    movesBitmaps: true,
    make: [
      create("cluster_size=4k", "2M"),
      "qemu-img bitmap --add -g 4k image one",
      "qemu-img bitmap --add -g 64k image two",
      io("write 0 20k", "write 1M 8k"),
    ],
  },
  { name: "lazy", make: [create("lazy_refcounts=on,cluster_size=4k"), io("write 0 20k")] },
  {
    name: "extended",
    make: [
      create("extended_l2=on,cluster_size=16k", "4M"),
      io("write 0 3k", "write 20k 40k", "write -z 1M 512", "write 3M 16k"),
    ],
  },
  {
    name: "extended-snapshot",
    make: [
      create("extended_l2=on,cluster_size=16k", "1M"),
      io("write 0 40k"),
      "qemu-img snapshot -c one image",
      io("write 1k 5k", "write -z 16k 16k"),
    ],
  },
  {
    name: "data-file",
    make: [create("cluster_size=4k,data_file=data"), io("write 0 40k", "write 600k 12k", "write -z 8k 4k")],
  },
  {
    name: "zstd",
    make: [
      "qemu-img create -q -f raw raw 512k",
      "qemu-io -f raw -c 'write -P 1 0 64k' -c 'write -P 2 100k 100k' raw >/dev/null",
      "qemu-img convert -c -O qcow2 -o cluster_size=4k,compression_type=zstd raw image",
    ],
  },
  { name: "preallocated", make: [create("preallocation=metadata,cluster_size=2k", "256k")] },
];
