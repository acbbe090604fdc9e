/**
 * Encrypted images both ways with the real programs: what one writes the other reads, key slots that one changes open
 * with the other, and both refuse the same in the same words.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { MEASURING_MS, SLOW_HASH, untilMeasured } from "../support/key_slots.ts";
import { type ImgRequest, runMoaImg } from "../support/moa_img.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { sideBySide, wordsOf } from "../support/side_by_side.ts";
import { TempFolder } from "../support/temp.ts";

const ignore = !haveProgram("qemu-img") || !haveProgram("qemu-io");
const SECRETS = "--object secret,id=s,data=abc --object secret,id=t,data=def --object secret,id=u,data=ghi";
const LUKS = (name: string, secret = "s") => `--image-opts driver=luks,key-secret=${secret},file.filename=${name}`;
const QCOW2 = (name: string, secret = "s") =>
  `--image-opts driver=qcow2,encrypt.key-secret=${secret},file.filename=${name}`;

const IMAGES = [
  untilMeasured(`create -q ${SECRETS} -f luks -o key-secret=s,iter-time=10,${SLOW_HASH} x 1M`),
  `qemu-io ${SECRETS} -c 'write -P 7 100k 100k' ${LUKS("x")} >/dev/null`,
  untilMeasured(
    `create -q ${SECRETS} -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,encrypt.${SLOW_HASH} q 1M`,
  ),
  `qemu-io ${SECRETS} -c 'write -P 7 100k 100k' ${QCOW2("q")} >/dev/null`,
  `qemu-img create -q ${SECRETS} -f qcow2 -o encrypt.format=aes,encrypt.key-secret=s a 1M`,
  `qemu-io ${SECRETS} -c 'write -P 7 100k 100k' -c 'write -c -P 9 512k 64k' ${QCOW2("a")} >/dev/null`,
  "qemu-img create -q -f qcow2 p 1M",
];

/**
 * Runs `body` with a shell line that fills a folder with QEMU's images, in which `t` opens slot 1. They are made once: for
 * each slot that it fills QEMU measures for a second.
 */
async function withImages(body: (setUp: readonly string[]) => Promise<void>): Promise<void> {
  await using folder = await TempFolder.make();
  for (const line of IMAGES) await must("sh", ["-ec", line], { cwd: folder.path, timeoutMs: MEASURING_MS });
  const slots = await runMoaImg([
    `amend ${SECRETS} ${LUKS("x")} -o state=active,new-secret=t,iter-time=10`,
    `amend ${SECRETS} ${QCOW2("q")} -o encrypt.state=active,encrypt.new-secret=t,encrypt.iter-time=10`,
  ].map((row) => ({ folder: folder.path, args: wordsOf(row) })));
  assertEquals(slots.map(({ code, stderr }) => [code, stderr]), [[0, ""], [0, ""]]);
  await body([`cp -a --sparse=always ${folder.path}/. .`]);
}

/** What is told and refused of encrypted images. */
const TOLD = [
  "create -f luks -o help",
  "create -f luks -o help new",
  "info x",
  "info q",
  "info a",
  "info --output=json q",
  `info ${SECRETS} --output=json ${LUKS("x")}`,
  `info ${SECRETS} --image-opts driver=qcow2,encrypt.format=luks,encrypt.key-secret=s,file.filename=q`,
  ...["x", "q", "a"].flatMap((
    name,
  ) => [`check ${name}`, `map ${name}`, `snapshot -l ${name}`, `compare ${name} x`]),
  `check ${SECRETS} ${QCOW2("q")}`,
  `check ${SECRETS} ${QCOW2("a")}`,
  `check ${SECRETS} ${QCOW2("q", "t")}`,
  `check ${SECRETS} ${QCOW2("q", "zz")}`,
  `check ${QCOW2("p")}`,
  `check --image-opts driver=qcow2,encrypt.format=aes,file.filename=p`,
  `check ${SECRETS} --image-opts driver=qcow2,encrypt.format=aes,encrypt.key-secret=s,file.filename=q`,
  `check ${SECRETS} --image-opts driver=qcow2,encrypt.format=luks,encrypt.key-secret=s,file.filename=a`,
  `check ${SECRETS} --image-opts driver=qcow2,encrypt.foo=x,encrypt.key-secret=s,file.filename=a`,
  `map ${SECRETS} --output=json ${LUKS("x")}`,
  `map ${SECRETS} --output=json ${QCOW2("q")}`,
  `map ${SECRETS} --output=json ${QCOW2("a")}`,
  "measure -O luks --size 1M",
  `measure ${SECRETS} -O qcow2 -o encrypt.format=aes,encrypt.key-secret=s --size 1G`,
  `measure ${SECRETS} -O qcow2 -o encrypt.format=luks --size 1G`,
  "create -f luks n 1M",
  "create -f luks -o key-secret=zz n 1M",
  ...["cipher-alg", "cipher-mode", "ivgen-alg", "hash-alg", "ivgen-hash-alg"].map((name) =>
    `create ${SECRETS} -f luks -o key-secret=s,${name}=nosuch n 1M`
  ),
  `create ${SECRETS} -f luks -o key-secret=s,cipher-alg=3des n 1M`,
  `create ${SECRETS} -f luks -b x -F luks n`,
  "create -f luks -o help n",
  "create -f qcow2 -o encryption=on n 1M",
  "create -f qcow2 -o encrypt.format=aes,encrypt.key-secret=zz n 1M",
  `create ${SECRETS} -f qcow2 -o encrypt.format=aes,encrypt.key-secret=s,encrypt.cipher-alg=aes-128 n 1M`,
  `create ${SECRETS} -f qcow2 -o encrypt.format=foo,encrypt.key-secret=s n 1M`,
  `create ${SECRETS} -f qcow2 -o encrypt.key-secret=s n 1M`,
  `create ${SECRETS} -f qcow2 -o encryption=on,encrypt.format=luks,encrypt.key-secret=s n 1M`,
  `create ${SECRETS} -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.cipher-alg=foo n 1M`,
  "create -f qcow2 -o encrypt.format=luks n 1M",
  // The size of an encrypted backing file is no secret.
  "create -f qcow2 -b q -F qcow2 overlay",
  "map overlay",
  `convert ${SECRETS} --image-opts driver=qcow2,file.filename=overlay,backing.encrypt.key-secret=s -O raw r`,
  `compare ${SECRETS} ${QCOW2("q", "s")} driver=raw,file.filename=r`,
  `convert -c ${SECRETS} -O qcow2 -o encrypt.format=aes,encrypt.key-secret=s p n`,
  `convert -c ${SECRETS} -O luks -o key-secret=s p n`,
];

/** Key slots: what is changed, and what is refused. */
const SLOTS = [
  "amend -f luks -o help",
  "amend -f qcow2 -o help",
  ...[
    "new-secret=t",
    "state=foo",
    "state=active,keyslot=6",
    "state=active,new-secret=t,keyslot=1",
    "state=active,new-secret=t,keyslot=8",
    "state=active,new-secret=t,keyslot=-1",
    "state=active,new-secret=t,old-secret=s",
    "state=active,new-secret=zz",
    "state=inactive",
    "state=inactive,new-secret=t",
    "state=inactive,iter-time=10,keyslot=1",
    "state=inactive,keyslot=3",
    "state=inactive,keyslot=9",
    "state=inactive,old-secret=u",
    "state=inactive,keyslot=3,old-secret=s",
    "state=inactive,keyslot=0,old-secret=t",
    "size=5M",
    "nosuch=1",
    "keyslot=x",
    "state=inactive,old-secret=t",
    "state=inactive,old-secret=s",
    "state=inactive,keyslot=0",
  ].map((options) => `amend ${SECRETS} ${LUKS("x")} -o ${options}`),
  "info x",
  `amend ${SECRETS} ${QCOW2("q")} -o encrypt.keyslot=3`,
  `amend ${SECRETS} ${QCOW2("q")} -o encrypt.format=aes`,
  `amend ${SECRETS} ${QCOW2("q")} -o encrypt.state=inactive,encrypt.old-secret=s`,
  `amend ${SECRETS} ${QCOW2("q")} -o compat=1.1`,
  `check ${SECRETS} ${QCOW2("q", "t")}`,
  "info q",
  `amend ${SECRETS} ${QCOW2("a")} -o encrypt.state=active,encrypt.new-secret=s`,
  "amend -o encrypt.state=active,encrypt.new-secret=s p",
  "amend -o encryption=on p",
];

Deno.test({
  name: "encrypted images of QEMU's: what is told, changed and refused",
  ignore,
  fn: (test) =>
    withImages(async (setUp) => {
      await test.step("told", () => sideBySide({ setUp, rows: TOLD }));
      const verify = [`check ${SECRETS} ${QCOW2("q", "t")}`];
      await test.step("key slots", () => sideBySide({ setUp, rows: SLOTS, verify }));
    }),
});

/** Shapes of images that moa makes and qemu-io reads: format, options, how it is opened. */
const SHAPES: readonly [format: string, options: string, open: (name: string, secret?: string) => string][] = [
  ["luks", "key-secret=s,iter-time=10", LUKS],
  ["luks", "key-secret=s,iter-time=10,cipher-alg=aes-192,hash-alg=sha512", LUKS],
  ["luks", "key-secret=s,iter-time=10,cipher-mode=cbc,ivgen-alg=essiv,hash-alg=ripemd160", LUKS],
  ["luks", "key-secret=s,iter-time=10,cipher-mode=ctr,cipher-alg=aes-128", LUKS],
  ["qcow2", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", QCOW2],
  ["qcow2", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,compat=0.10,cluster_size=512", QCOW2],
  ["qcow2", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,extended_l2=on,cluster_size=2M", QCOW2],
  ["qcow2", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,preallocation=metadata", QCOW2],
  ["qcow2", "encryption=on,encrypt.key-secret=s", QCOW2],
  ["qcow2", "encrypt.format=aes,encrypt.key-secret=s,compat=0.10", QCOW2],
];

/** Those whose key slots are changed too. */
const AMENDED = [0, 4];

Deno.test({
  name: "moa's images are read, written and checked by QEMU, and the other way round",
  ignore,
  fn: async () => {
    await using folder = await TempFolder.make();
    const cwd = folder.path;
    // One disk, in the plain; then through moa into each shape, through QEMU out of it, and back.
    await must("sh", [
      "-ec",
      "qemu-img create -q -f raw r 3M; qemu-io -f raw -c 'write -P 7 100k 300k' -c 'write -P 9 1030k 1500' r >/dev/null",
    ], { cwd });
    const img = (row: string): ImgRequest => ({ folder: cwd, args: wordsOf(row) });
    const shell = (line: string): ImgRequest => ({ folder: cwd, shell: line });
    const requests: ImgRequest[] = [];
    SHAPES.forEach(([format, options, open], index) => {
      const name = `i${index}`;
      requests.push(img(`convert ${SECRETS} -f raw -O ${format} -o ${options} r ${name}`));
      requests.push(shell(`qemu-img convert ${SECRETS} ${open(name)} -O raw out && cmp out r`));
      requests.push(shell(`qemu-io ${SECRETS} -c 'write -P 5 2000k 33k' ${open(name)} >/dev/null`));
      if (format === "qcow2") {
        requests.push(shell(`qemu-img snapshot ${SECRETS} -c one ${open(name)}`));
        requests.push(shell(`qemu-io ${SECRETS} -c 'write -P 6 2010k 100k' ${open(name)} >/dev/null`));
        requests.push(img(`snapshot ${SECRETS} -a one ${open(name)}`));
        requests.push(shell(`qemu-img check -q ${SECRETS} ${open(name)}`));
      }
      requests.push(shell(`cp r want && qemu-io -f raw -c 'write -P 5 2000k 33k' want >/dev/null`));
      requests.push(img(`convert ${SECRETS} ${open(name)} -O raw back`));
      requests.push(shell("cmp back want"));
      if (AMENDED.includes(index)) {
        const prefix = format === "qcow2" ? "encrypt." : "";
        requests.push(img(
          `amend ${SECRETS} ${open(name)} -o ${prefix}state=active,${prefix}new-secret=u,${prefix}iter-time=10`,
        ));
        requests.push(
          shell(`qemu-img amend ${SECRETS} ${open(name, "u")} -o ${prefix}state=inactive,${prefix}old-secret=s`),
        );
        requests.push(img(`convert ${SECRETS} ${open(name, "u")} -O raw back`));
        requests.push(shell("cmp back want"));
      }
    });
    for (const [index, { code, stderr }] of (await runMoaImg(requests)).entries()) {
      assertEquals([code, stderr], [0, ""], JSON.stringify(requests[index]));
    }
  },
});

Deno.test({
  name: "keys of 24 bytes, which end in half a sector of key material, work here and end qemu-img by its own assertion",
  ignore,
  fn: async () => {
    await using folder = await TempFolder.make();
    const cwd = folder.path;
    await must("sh", ["-ec", "qemu-img create -q -f raw r 1M; qemu-io -f raw -c 'write -P 7 1k 300k' r >/dev/null"], {
      cwd,
    });
    const options =
      "key-secret=s,iter-time=10,cipher-alg=aes-192,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256," +
      SLOW_HASH;
    const rows = [`convert ${SECRETS} -O luks -o ${options} r x`, `convert ${SECRETS} ${LUKS("x")} -O raw back`];
    const done = await runMoaImg([...rows.map((row) => ({ folder: cwd, args: wordsOf(row) })), {
      folder: cwd,
      shell: "cmp back r",
    }]);
    assertEquals(done.map(({ code, stderr }) => [code, stderr]), [[0, ""], [0, ""], [0, ""]]);
    // Its own image and this one alike; of where in its source it stood nothing is said here.
    const theirs = [`create -q ${SECRETS} -f luks -o ${options} y 1M`, `convert ${SECRETS} ${LUKS("x")} -O raw back`];
    for (const row of theirs) {
      const { code, stderr } = await run("sh", ["-c", untilMeasured(row)], { cwd, timeoutMs: MEASURING_MS });
      assertEquals([code, stderr.includes("QEMU_IS_ALIGNED(len, sectorsize)")], [134, true], stderr);
    }
  },
});
