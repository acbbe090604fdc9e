/**
 * qcow2's subclusters, external data files and zstd as `moa img` and the real qemu-img show and refuse them: each row is
 * run by both in equal folders.
 *
 * @module
 */
import { haveProgram } from "../support/programs.ts";
import { sideBySide } from "../support/side_by_side.ts";

const ignore = !haveProgram("qemu-img") || !haveProgram("qemu-io");

const DATA_FILE_IMAGES = [
  "qemu-img create -q -f qcow2 -o data_file=d1 e1 1M && qemu-io -c 'write 100k 20k' -c 'write -z 200k 64k' e1 >/dev/null",
  "qemu-img create -q -f qcow2 -o data_file=d2,data_file_raw=on e2 1M && qemu-io -c 'write -P 5 0 10k' e2 >/dev/null",
  "qemu-img create -q -f qcow2 -o data_file=d3,preallocation=metadata,compression_type=zstd e3 320k",
  "qemu-img create -q -f qcow2 -o data_file=d4 e4 1M && rm d4",
  "qemu-img create -q -f qcow2 plain 1M && qemu-io -c 'write 0 64k' plain >/dev/null",
  "qemu-img create -q -f qcow2 -o data_file=d5 e5 512k && mv d5 moved",
];

Deno.test({
  name: "img: images with an external data file are told of, mapped, checked, and refused alike",
  ignore,
  fn: () =>
    sideBySide({
      setUpTwice: true,
      setUp: DATA_FILE_IMAGES,
      rows: [
        ...["e1", "e2", "e3", "e4"].flatMap((file) => [
          `info ${file}`,
          `info --output=json ${file}`,
          `check ${file}`,
          `check --output=json ${file}`,
          `map ${file}`,
          `map --output=json ${file}`,
        ]),
        "info --image-opts driver=qcow2,file.filename=plain,data-file.filename=d1",
        "map --image-opts driver=qcow2,file.filename=plain,data-file.filename=d1",
        "map --output=json --image-opts driver=qcow2,file.filename=e5,data-file.filename=moved",
        "compare e2 d2",
        "compare -f raw -F qcow2 d2 e2",
        "snapshot -c a e1",
        "snapshot -l e1",
        "convert -c -O qcow2 -o data_file=n1 plain c1",
        "convert -O qcow2 -o data_file=n2 plain c2",
        "map --output=json c2",
        "check c2",
        "convert -O qcow2 -o data_file=n3,data_file_raw=on plain c3",
        "map --output=json c3",
        "compare -f raw -F qcow2 n3 plain",
        "measure -O qcow2 e1",
        "amend -o data_file_raw=on e1",
        "amend -o compat=0.10 e1",
        "amend -o data_file=d1 plain",
        "resize e1 2M",
        "map --output=json e1",
        "resize --shrink e1 64k",
        "resize --preallocation=full e1 1M",
        "map --output=json e1",
        "resize --preallocation=falloc e2 2M",
        "map --output=json e2",
        "resize e2 3M",
        "map --output=json e2",
        "check e2",
        "commit e1",
        "create -f qcow2 -o data_file=x0,compat=0.10 x 1M",
        "create -f qcow2 -o data_file_raw=on x 1M",
        "create -f qcow2 -o data_file=x1,data_file_raw=on -b plain -F qcow2 x 1M",
        "create -f qcow2 -o data_file=/nonexistent/d x 1M",
        "create -f qcow2 -o data_file= x 1M",
        "create -f qcow2 -o data_file=x2 -b plain -F qcow2 over",
        "map --output=json over",
        "$ qemu-io -c 'write -P 3 0 100k' over >/dev/null",
        "commit over",
        "map --output=json over",
        "amend -o data_file=moved e5",
      ],
      sameBytes: ["e1", "d1", "e2", "d2", "c2", "n2", "n3", "plain", "over", "x2", "e5"],
    }),
});

Deno.test({
  name: "img: subclusters are told of, mapped, checked, resized and refused alike",
  ignore,
  fn: () =>
    sideBySide({
      setUpTwice: true,
      setUp: [
        "qemu-img create -q -f qcow2 base 1M && qemu-io -c 'write -P 7 0 300k' base >/dev/null",
        "qemu-img create -q -f qcow2 -o extended_l2=on s1 1M && " +
        "qemu-io -c 'write 100k 20k' -c 'write -z 200k 6k' -c 'write 512k 2k' -c 'write -z 514k 2k' s1 >/dev/null",
        "qemu-img create -q -f qcow2 -o extended_l2=on,preallocation=metadata -b base -F qcow2 s2 2M && " +
        "qemu-io -c 'write 64k 2k' -c 'discard 128k 64k' s2 >/dev/null",
        "qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=16k,compression_type=zstd s3 1M && " +
        "qemu-io -c 'write -c 0 16k' -c 'write 17k 1k' s3 >/dev/null",
      ],
      rows: [
        ...["s1", "s2", "s3"].flatMap((file) => [
          `info ${file}`,
          `info --output=json ${file}`,
          `check ${file}`,
          `check --output=json ${file}`,
          `map ${file}`,
          `map --output=json ${file}`,
          `measure -O qcow2 ${file}`,
        ]),
        "snapshot -c a s1",
        "resize s1 3M",
        "map --output=json s1",
        "check s1",
        "resize --preallocation=metadata s3 2M",
        "resize --preallocation=full s3 3M",
        "map --output=json s3",
        "check s3",
        "resize --shrink s3 99k",
        "resize s3 200k",
        "map --output=json s3",
        "check s3",
        "snapshot -a a s1",
        "map --output=json s1",
        "snapshot -d a s1",
        "check s1",
        "convert -O qcow2 -o extended_l2=on base c1",
        "map --output=json c1",
        "convert -O qcow2 -c -o extended_l2=on,compression_type=zstd base c2",
        "compare c1 c2",
        "commit s2",
        "map --output=json base",
        "check s2",
        "rebase -u -b '' s2",
        "amend -o extended_l2=off s1",
        "create -f qcow2 -o extended_l2=on,compat=0.10 x 1M",
        "create -f qcow2 -o extended_l2=on,cluster_size=8k x 1M",
        "create -f qcow2 -o extended_l2=on,cluster_size=8k,compat=0.10 x 1M",
        "create -f qcow2 -o extended_l2=on,cluster_size=16k x 64T",
        "create -f qcow2 -o preallocation=metadata -b base -F qcow2 x 1M",
        "create -f qcow2 -o compression_type=zstd,compat=0.10 x 1M",
        "create -f qcow2 -o compression_type=lzo x 1M",
        "create -f qcow2 -o compression_type=lzo,preallocation=bogus x 1M",
        "create -f qcow2 -o compression_type=lzo,preallocation=bogus,compat=9 x 1M",
        "create -f qcow2 -o compat=0.10,lazy_refcounts=on,compression_type=zstd,refcount_bits=1 x 1M",
        "amend -o compat=0.10 s1",
        "create -f qcow2 -o nocow=on,extended_l2=on x 1M",
        "measure -O qcow2 -o extended_l2=on --size 1G",
      ],
      sameData: ["s1", "s2", "s3", "c1", "c2"],
    }),
});
