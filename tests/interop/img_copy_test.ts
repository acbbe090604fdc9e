/**
 * `moa img map`, `compare`, `measure`, `dd` and `convert` beside the real qemu-img: each row is run by both in equal
 * folders; outputs and exit status have to be equal, and the real program has to find the same in the images that result.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram, must, run } from "../support/programs.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { TempFolder } from "../support/temp.ts";

const ignore = !haveProgram("qemu-img") || !haveProgram("qemu-io");

const IMAGES = [
  "qemu-img create -q -f qcow2 base 1M && qemu-io -f qcow2 -c 'write 0 128k' -c 'write -z 128k 64k' " +
  "-c 'write -c 192k 64k' base >/dev/null",
  "qemu-img create -q -f qcow2 -b base -F qcow2 top 2M && " +
  "qemu-io -f qcow2 -c 'write 512k 64k' -c 'write -z 64k 64k' -c 'write 1536k 4k' top >/dev/null",
  "qemu-img create -q -f raw raw 1M && qemu-io -f raw -c 'write 64k 64k' -c 'write -P 7 300k 4k' raw >/dev/null",
  "qemu-img create -q -f qcow2 -o preallocation=metadata full 1M && qemu-io -c 'write 64k 64k' full >/dev/null",
  "qemu-img create -q -f qcow2 snapped 1M && qemu-io -c 'write 0 64k' snapped >/dev/null && " +
  "qemu-img snapshot -c s1 snapped && qemu-io -c 'write 128k 64k' snapped >/dev/null",
  "cp base same; qemu-img convert -O raw base flat; qemu-img create -q -f qcow2 big 4M",
  "qemu-img create -q -f qcow2 -o compat=0.10 old 1M && qemu-io -c 'write 1k 1k' old >/dev/null",
  "qemu-img create -q -f qcow2 later 4M && qemu-io -c 'write 3M 1k' -c 'write -z 0 1M' later >/dev/null",
  "qemu-img create -q -f qcow2 zero 1M && qemu-io -c 'write -z 0 1M' zero >/dev/null",
  ": >empty; head -c 1000 raw >cut; printf 'abcdefghij%.0s' $(seq 100) >odd",
];

const nothing = "driver=null-co,size=1M,read-zeroes=on";

Deno.test({
  name: "img map: text, JSON, parts, chains",
  ignore,
  fn: () =>
    sideBySide({
      setUpTwice: true,
      setUp: IMAGES,
      rows: [
        ...["base", "top", "raw", "full", "snapped", "zero", "empty", "odd", "old"].flatMap((file) => [
          `map ${file}`,
          `map --output=json ${file}`,
        ]),
        "map -s 64k -l 100k --output=json base",
        "map --start-offset=64k --max-length 100k raw",
        "map -s 1000 -l 100 --output=json raw",
        "map -s 3M raw",
        "map -s 3M --output=json raw",
        "map -l 0 --output=json raw",
        "map -s 0x1k raw",
        "map -f raw -U raw",
        "map -f raw --output json base",
        "map --image-opts driver=qcow2,file.filename=full",
        `map --output=json --image-opts ${nothing}`,
        "map -s x raw",
        "map -l x raw",
        "map -s -1 raw",
        "map -s 1.5 odd",
        "map -l 16E raw",
        "map -s 9E raw",
        "map --object foo raw",
        "map",
        "map raw base",
        "map -x",
        "map --output=foo raw",
        "map nosuch",
        "map -f nosuch raw",
        "map --image-opts -f raw driver=raw,file.filename=raw",
      ],
    }),
});

Deno.test({
  name: "img compare: what is the same, where it is not, exit status",
  ignore,
  fn: () =>
    sideBySide({
      setUpTwice: true,
      setUp: IMAGES,
      rows: [
        "compare base same",
        "compare base flat",
        "compare flat base",
        "compare base top",
        "compare -s base flat",
        "compare -s base same",
        "compare base big",
        "compare -s base big",
        "compare raw base",
        "compare raw full",
        "compare -q raw base",
        "compare -p base same",
        "compare -q -p base same",
        "compare -p raw base",
        "compare -p zero big",
        "compare zero big",
        "compare big zero",
        "compare zero later",
        "compare later zero",
        "compare -s zero later",
        "compare -s full base",
        "compare -s top top",
        "compare -f raw base same",
        "compare -F raw base same",
        "compare -f raw -F qcow2 flat base",
        "compare -T none base same",
        "compare -U base same",
        "compare --force-share base same",
        "compare --image-opts driver=qcow2,file.filename=base driver=raw,file.filename=flat",
        "compare nosuch base",
        "compare base nosuch",
        "compare -T foo base same",
        "compare -f nosuch base same",
        "compare --image-opts -f raw base same",
        "compare --object foo base same",
        "compare base",
        "compare",
        "compare a b c",
        "compare -x",
      ],
    }),
});

Deno.test({
  name: "img measure: numbers and refusals",
  ignore,
  fn: () =>
    sideBySide({
      setUpTwice: true,
      setUp: IMAGES,
      rows: [
        ...["base", "top", "raw", "full", "snapped", "zero", "odd", "old", "empty"].flatMap((file) => [
          `measure ${file}`,
          `measure -O qcow2 ${file}`,
          `measure -O qcow2 -o cluster_size=4k --output=json ${file}`,
        ]),
        "measure --size 1G",
        "measure --size 1001",
        "measure --output=json --size 1G -O qcow2",
        ...["0", "1G", "2G", "2146762752", "1P", "1023T"].map((size) => `measure -O qcow2 --size ${size}`),
        "measure --size 1P -o cluster_size=2M,refcount_bits=1 -O qcow2",
        "measure --size 5T -O qcow2 -o cluster_size=4k",
        "measure --size 5T -O qcow2 -o cluster_size=4k,refcount_bits=64",
        "measure --size 100G -O qcow2 -o cluster_size=512",
        "measure -O qcow2 -o extended_l2=on --size 1G",
        "measure -O qcow2 -o preallocation=full raw",
        "measure -O qcow2 -o preallocation=metadata top",
        "measure -O qcow2 base -o backing_file=base",
        "measure -O qcow2 --size 1G -o backing_file=base,backing_fmt=qcow2",
        "measure -O qcow2 -o compat=0.10 base",
        "measure -l s1 -O qcow2 snapped",
        "measure -l snapshot.id=1 -O qcow2 snapped",
        "measure -l snapshot.name=s1 -O qcow2 snapped",
        "measure -U -f qcow2 -O qcow2 base",
        "measure --image-opts -O qcow2 driver=qcow2,file.filename=base",
        "measure -O qcow2 -o compat=0.10,refcount_bits=8 --size 1G",
        "measure -O qcow2 -o nosuch=1 --size 1G",
        "measure -O nosuch --size 1G",
        "measure -O null-co --size 1G",
        "measure -O qcow2 --size x",
        "measure -O qcow2 --size -1",
        "measure -O qcow2 --size 8E",
        "measure -O qcow2 --size 1M base",
        "measure -O qcow2 base raw",
        "measure --output=x base",
        "measure -l nosuch snapped",
        "measure -l snapshot.foo=1 snapped",
        "measure -l s1 raw",
        "measure -O qcow2 nosuch",
        "measure -f qcow2 raw",
        "measure -O qcow2 -o cluster_size=100 --size 1G",
        "measure -O qcow2 -o refcount_bits=5 --size 1G",
        "measure -O qcow2 -o compat=foo --size 1G",
        "measure -O qcow2 -o preallocation=foo --size 1G",
        "measure -O qcow2 -o cluster_size=512 --size 1T",
        "measure -O file raw",
        "measure --size 1G -f qcow2",
        "measure -l s1 --size 1G",
        "measure --image-opts --size 1G",
        "measure --size 1.7",
        "measure --object foo base",
        "measure",
      ],
    }),
});

Deno.test({
  name: "img dd: blocks of an image",
  ignore,
  fn: () =>
    sideBySide({
      setUpTwice: true,
      setUp: IMAGES,
      rows: [
        "dd if=raw of=d1",
        "dd if=raw of=d2 bs=4k count=3 skip=16",
        "dd -O qcow2 if=raw of=d3",
        "dd -f raw -O raw bs=1M count=100 if=base of=d4",
        "dd -O qcow2 if=base of=d5 bs=64k skip=1",
        "dd if=odd of=d6 bs=300",
        "dd if=odd of=d7 bs=100 skip=2 count=3",
        "dd --image-opts if=driver=raw,file.filename=raw of=d8",
        "dd -U if=raw of=d9 bs=1k skip=0",
        "dd if=raw of=d10 skip=10000",
        "dd if=raw of=d11 count=0",
        "dd if=raw of=d12 count=1 count=2",
        "dd if=raw of=d12 bs=3k count=5",
        "dd",
        "dd if=raw",
        "dd of=x",
        "dd if=nosuch of=y",
        "dd if=raw of=/nosuch/y",
        "dd if=raw of=y bs=x",
        "dd if=raw of=y count=x",
        "dd if=raw of=y bs=0",
        "dd if=raw of=y bs=2G",
        "dd if=raw of=y bs=-1",
        "dd if=raw of=y bs=9E",
        "dd if=raw of=y count=-1",
        "dd if=raw of=y count=9E",
        "dd if=raw of=y skip=9E",
        "dd if=raw of=y foo=1",
        "dd if=raw of=y foo",
        "dd if=raw of=y conv=x",
        "dd if=raw of=y seek=1",
        "dd -O nosuch if=raw of=y",
        "dd -f nosuch if=raw of=y",
        "dd -O null-co if=raw of=y",
        "dd --object foo if=raw of=y",
        "dd -x if=raw of=y",
        "dd if=snapped of=snapped",
        "check snapped",
      ],
      verify: [
        ...["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "d10", "d11", "d12"].map((file) => `info ${file}`),
        ...["d1", "d8", "d9"].map((file) => `compare -s -f raw -F raw raw ${file}`),
        "compare d3 raw",
        "map --output=json d3",
        "map --output=json d5",
        "check d5",
        "compare d5 d2",
        "measure -O qcow2 d2",
        "info y",
      ],
    }),
});

/** Conversions that make `c0`, `c1`, ... in order. */
const CONVERSIONS = [
  "raw",
  "base",
  "-O qcow2 raw",
  "-O qcow2 base",
  "-O qcow2 top",
  "-O qcow2 full",
  "-c -O qcow2 raw",
  "-c -O qcow2 top",
  "-f qcow2 -O qcow2 -o compat=0.10,cluster_size=4k base",
  "-O qcow2 -o preallocation=metadata raw",
  "-O qcow2 -o cluster_size=2M top",
  "-S 0 raw",
  "-S 0 -O qcow2 base",
  "-S 64k raw",
  "-S 512 raw",
  "-B base -F qcow2 -O qcow2 top",
  "-o backing_file=base,backing_fmt=qcow2 -O qcow2 top",
  "-l s1 -O qcow2 snapped",
  "-l snapshot.id=1,snapshot.name=s1 snapped",
  "-O qcow2 snapped",
  "raw base top",
  "-O qcow2 odd raw",
  "-c -O qcow2 odd base cut",
  "-o size=5M raw",
  "-p raw",
  "-p -q raw",
  "-m 16 -O qcow2 base",
  // With -W the order of clusters is chance in qemu-img too: into raw, where there is none.
  "-m 16 -W base",
  "-m 1 base",
  "-C raw",
  "-U -t none -T none -O qcow2 base",
  "-r 100M raw",
  "--salvage base",
  "--image-opts driver=qcow2,file.filename=base",
  "--bitmaps -O qcow2 base",
  "empty",
  "-O qcow2 empty",
  "-O qcow2 odd",
  "-O qcow2 old",
];

Deno.test({
  name: "img convert: what the images hold afterwards, and how they lie",
  ignore,
  fn: () =>
    sideBySide({
      setUpTwice: true,
      setUp: IMAGES,
      rows: CONVERSIONS.map((row, index) => `convert ${row} c${index}`),
      verify: CONVERSIONS.flatMap((row, index) => {
        const source = row.split(" ").at(-1)!;
        const rest = row.includes("-B") || row.includes("backing")
          ? ["check", "map --output=json"]
          : ["map --output=json"];
        return [
          `compare ${source} c${index}`,
          `info c${index}`,
          ...(row.includes("qcow2") && !row.startsWith("--image") ? [`check c${index}`] : []),
          ...rest.map((words) => `${words} c${index}`),
        ];
      }),
    }),
});

Deno.test({
  name: "img convert: targets that are there already",
  ignore,
  fn: () =>
    sideBySide({
      setUpTwice: true,
      setUp: [
        ...IMAGES,
        "qemu-img create -q -f raw plain 2M && qemu-io -f raw -c 'write -P 5 0 2M' plain >/dev/null",
        "qemu-img create -q -f qcow2 other 4M && qemu-io -c 'write -P 5 0 3M' other >/dev/null",
        "qemu-img create -q -f qcow2 -b base -F qcow2 over 2M; qemu-img create -q -f raw blank 1M; cp other again",
      ],
      rows: [
        "convert -n raw plain",
        "convert -n -O qcow2 top other",
        "convert -n --target-is-zero raw blank",
        "convert -n -B base -F qcow2 -O qcow2 top over",
        "convert -n --target-image-opts base driver=qcow2,file.filename=again",
        "convert -n -O raw raw null-co://",
        "convert -n nosuch other",
        "convert -n raw nosuch",
        "convert -n -O qcow2 big blank",
        "convert -n -O qcow2 big base",
        "convert -n -o size=1 raw plain",
        "convert -n --target-image-opts -O raw raw driver=raw,file.filename=plain",
        "convert --target-is-zero -n -B base -F qcow2 -O qcow2 top same",
      ],
      verify: [
        "compare plain raw",
        "map --output=json plain",
        "compare other top",
        "map --output=json other",
        "check other",
        "compare blank raw",
        "map --output=json over",
        "compare over top",
        "compare again base",
        "compare base same",
      ],
    }),
});

Deno.test({
  name: "img convert: what is refused, and leaves nothing",
  ignore,
  fn: () =>
    sideBySide({
      setUpTwice: true,
      setUp: IMAGES,
      rows: [
        "convert",
        "convert raw",
        "convert -x",
        "convert --nosuch",
        "convert -f qcow2 raw o",
        "convert -O nosuch raw o",
        "convert -O null-co raw o",
        "convert -c raw o",
        "convert -o help -O qcow2 raw o",
        "convert -o help",
        "convert -O qcow2 -o help",
        "convert -o nosuch=1 -O qcow2 raw o",
        "convert -o x, raw o",
        "convert -S x raw o",
        "convert -S 1000 raw o",
        "convert -S 3G raw o",
        "convert -S -1 raw o",
        "convert -m 0 raw o",
        "convert -m 17 raw o",
        "convert -m x raw o",
        "convert -T foo raw o",
        "convert -t foo raw o",
        "convert -r x raw o",
        "convert -r -1 raw o",
        "convert -B base -O qcow2 top o",
        "convert -B nosuch -F qcow2 -O qcow2 top o",
        "convert -B base -F qcow2 -O raw top o",
        "convert -F qcow2 -O qcow2 raw o",
        "convert -o backing_file=base -O qcow2 top o",
        "convert -l nosuch snapped o",
        "convert -l snapshot.x=1 snapped o",
        "convert -l s1 raw o",
        "convert -l s1 snapped raw o",
        "convert -s s1 snapped o",
        "convert --target-is-zero raw o",
        "convert --target-image-opts raw driver=raw,file.filename=o",
        "convert --bitmaps raw o",
        "convert --skip-broken-bitmaps raw o",
        "convert -C -S 4k raw o",
        "convert -C -c -O qcow2 raw o",
        "convert --salvage -C raw o",
        "convert -O qcow2 -B base -F qcow2 raw base o",
        "convert raw raw",
        "convert raw /nosuch/o",
        "convert nosuch o",
        "convert raw nosuch o",
        "convert -c -o preallocation=metadata -O qcow2 raw o",
        "convert -O qcow2 -o cluster_size=7 raw o",
        "convert --object foo raw o",
        "convert --image-opts -f raw driver=raw,file.filename=raw o",
        "$ rm -f o",
        "info o",
        "info raw",
      ],
    }),
});

/** Starts a slow conversion and sends `signal` once the target's header names no version that there is. */
async function interrupt(folder: string, signal: Deno.Signal): Promise<{ code: number; left: boolean; info: string }> {
  const main = new URL("../../tools/moa.ts", import.meta.url).pathname;
  const target = `${folder}/target`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", main, "img", "convert", "-r", "1M", "-O", "qcow2", "source", "target"],
    cwd: folder,
    env: { INIT_CWD: folder },
    stdout: "null",
    stderr: "null",
  }).spawn();
  let ended = false;
  const ending = child.status.finally(() => ended = true);
  while (!ended) {
    const head = await Deno.readFile(target).catch(() => new Uint8Array());
    if (head[4] === 0xff) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (ended) {
    throw new Error(`the conversion ended by itself with ${(await ending).code} before it could be interrupted`);
  }
  child.kill(signal);
  const { code } = await ending;
  const left = await Deno.stat(target).then(() => true, () => false);
  const info = left ? (await run("qemu-img", ["info", "target"], { cwd: folder })).stderr : "";
  if (left) await Deno.remove(target);
  return { code, left, info };
}

Deno.test({
  name: "img convert: interrupted, it leaves nothing; killed, nothing that opens",
  ignore,
  async fn() {
    await using folder = await TempFolder.make();
    await must("sh", ["-c", "head -c 33554432 /dev/urandom >source"], { cwd: folder.path });
    assertEquals(await interrupt(folder.path, "SIGTERM"), { code: 143, left: false, info: "" });
    assertEquals(await interrupt(folder.path, "SIGINT"), { code: 130, left: false, info: "" });
    assertEquals(await interrupt(folder.path, "SIGKILL"), {
      code: 137,
      left: true,
      info: "qemu-img: Could not open 'target': Unsupported qcow2 version 4294967295\n",
    });
  },
});
