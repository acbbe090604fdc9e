/**
 * Filters beside the real programs: names, options, refusals, what `map` sees through them, and what requests do.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type IoOutcome, runMoaIo } from "../support/moa_io.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { imgSideBySide } from "../support/side_by_side.ts";
import { TempFolder } from "../support/temp.ts";

const SET_UP = [
  "qemu-img create -q -f qcow2 a 1M; qemu-io -c 'write -q -P 1 0 128k' a",
  "qemu-img create -q -f qcow2 -b a -F qcow2 b; qemu-io -c 'write -q -P 2 64k 64k' b",
  "for i in 0 1 2; do qemu-img create -q -f raw r$i 1M; qemu-io -f raw -c 'write -q -P 1 0 64k' r$i; done",
  "qemu-img create -q -f raw short 512k; qemu-img create -q -f qcow2 c 1M; : >log; : >empty; head -c 1024 a >bad",
  `printf '[inject-error]\\nevent = "read_aio"\\nerrno = "28"\\nonce = "on"\\n\\n[set-state]\\nevent = "write_aio"\\n` +
  `state = "1"\\nnew_state = "2"\\n# more\\n[inject-error]\\nevent = "write_aio"\\nstate = "2"\\nsector = "4"\\n' >rules`,
  `printf '[foo]\\na="1"\\n' >rules1; printf '[inject-error]\\nfoo = "x"\\n' >rules2; printf 'event="x"\\n' >rules3`,
  `printf '[inject-error]\\nevent = "read_aio"\\nerrno = "x"\\n' >rules4; printf '[inject-error]\\nevent = "no"\\n' >rules5`,
];

const GROUP = "--object throttle-group,id=tg,x-iops-total=100000";
const B = "file.driver=qcow2,file.file.filename=b";
const COPIES = [0, 1, 2].map((i) => `children.${i}.driver=raw,children.${i}.file.filename=r${i}`).join(",");
const info = (options: string, objects = "") => `info ${objects} --image-opts ${options}`.replace("  ", " ");
const QUORUM = `driver=quorum,${COPIES}`;
const LOG = "driver=blklogwrites,file.filename=r0,log.filename=log";

const INFO_ROWS = [
  info("driver=throttle,throttle-group=tg,file.filename=a", GROUP),
  info(`driver=throttle,throttle-group=tg,${B}`, GROUP),
  info(`driver=throttle,throttle-group=nope,${B}`),
  info(`driver=throttle,${B}`),
  info("driver=throttle,throttle-group=tg"),
  info("driver=throttle,throttle-group=tg,foo=1,file.filename=r0", GROUP),
  "$ qemu-img snapshot -c s1 a",
  info("driver=throttle,throttle-group=tg,file.driver=qcow2,file.file.filename=a", GROUP),
  "snapshot -l --image-opts driver=preallocate,file.driver=qcow2,file.file.filename=a",
  "snapshot -l --image-opts driver=blkdebug,image.driver=qcow2,image.file.filename=a",
  "snapshot -l --image-opts driver=raw,file.driver=qcow2,file.file.filename=a",
  `convert ${GROUP} --image-opts -O raw driver=throttle,throttle-group=tg,${B} out1`,
  "convert --image-opts -O raw driver=raw,file.driver=preallocate,file.file.driver=qcow2,file.file.file.filename=b out2",
  "compare -f raw -F raw out1 out2",
  "convert -O raw b out3",
  "compare -f raw -F raw out1 out3",
  `map --output=json ${GROUP} --image-opts driver=throttle,throttle-group=tg,${B}`,
  "map --output=json --image-opts driver=blkdebug,image.driver=qcow2,image.file.filename=b",
  "map --output=json --image-opts driver=qcow2,file.driver=preallocate,file.file.filename=b",
  `map --output=json --image-opts driver=quorum,vote-threshold=1,children.0.driver=qcow2,children.0.file.filename=b`,
  "map --output=json --image-opts driver=blkverify,raw.filename=r0,test.driver=raw,test.file.filename=r1",
  ...["copy-on-read", "compress", "preallocate"].flatMap((driver) => [
    info(`driver=${driver},file.filename=a`),
    info(`driver=${driver},file.driver=raw,file.file.filename=r0`),
    info(`driver=${driver},${B}`),
    info(`driver=${driver},foo=1,${B}`),
    info(`driver=${driver}`),
  ]),
  info("driver=raw,file.driver=preallocate,file.file.filename=r0,file.prealloc-align=513"),
  info("driver=raw,file.driver=preallocate,file.file.filename=r0,file.prealloc-align=1M,file.prealloc-size=2M"),
  info("driver=blkverify"),
  info("driver=blkverify,test.filename=a"),
  info("driver=blkverify,raw.filename=r0,test.filename=a"),
  info("driver=blkverify,raw.filename=r0,test.driver=qcow2,test.file.filename=a"),
  info("driver=blkverify,raw.filename=r0,test.driver=raw,test.file.filename=short"),
  info("driver=blkverify,raw.filename=r0,test.driver=raw,test.file.filename=r1,foo=1"),
  "info blkverify:r0:a",
  "info blkverify:r0",
  info("driver=blkverify,x-raw=r0,x-image=r1"),
  info("driver=blklogwrites,file.filename=r0"),
  info("driver=blklogwrites,log.filename=r0"),
  info(LOG),
  info(`${LOG},log-append=on`),
  info(`${LOG},log-append=on,log-sector-size=4096`),
  info(`${LOG},log-sector-size=1000`),
  info(`${LOG},log-sector-size=0`),
  info(`${LOG},log-sector-size=16777216`),
  info(`${LOG},log-sector-size=4096`),
  info(`${LOG},log-super-update-interval=0`),
  info(`${LOG},log-super-update-interval=7`),
  info(`${LOG},foo=1`),
  info("driver=blklogwrites,file.filename=r0,log.filename=bad,log-append=on"),
  info("driver=quorum"),
  info("driver=quorum,vote-threshold=2"),
  info(QUORUM),
  ...["0", "2", "4", "2,blkverify=on", "1,read-pattern=fifo", "1,read-pattern=foo", "2,rewrite-corrupted=on", "2,foo=1"]
    .map((rest) => info(`${QUORUM},vote-threshold=${rest}`)),
  info("driver=quorum,vote-threshold=1,children.0.filename=r0,children.1.filename=r1"),
  info("driver=quorum,vote-threshold=1,children.0.filename=r0,children.2.filename=r1"),
  info(
    "driver=quorum,vote-threshold=1,children.0.driver=raw,children.0.file.filename=r0,children.1.driver=raw," +
      "children.1.file.filename=short",
  ),
  info("driver=snapshot-access,file.filename=r0"),
  info("driver=copy-before-write,file.filename=r0"),
  "info blkdebug:rules:r0",
  info("driver=blkdebug,config=rules,image.filename=r0,inject-error.0.event=none,inject-error.0.errno=28"),
  info("driver=blkdebug,image.filename=a"),
  ...[1, 2, 3, 4, 5].map((i) => `info blkdebug:rules${i}:r0`),
  "info blkdebug:nosuch:r0",
  info("driver=blkdebug,image.filename=r0,inject-error.0.event=none,inject-error.0.iotype=foo"),
  ...["max-transfer=5", "opt-write-zero=5", "max-write-zero=5", "opt-discard=5", "max-discard=5"]
    .map((limit) => info(`driver=blkdebug,image.filename=r0,align=512,${limit}`)),
];

const IO_ROWS = [
  `${GROUP}|--image-opts|-c|read -P 1 0 64k|-c|write -P 5 4k 4k|-c|read -P 5 4k 4k|driver=throttle,throttle-group=tg,${B}`,
  `--image-opts|-c|map|-c|read -P 1 0 4k|-c|map|driver=copy-on-read,${B}`,
  `--image-opts|-c|map|driver=copy-on-read,bottom=zz,${B}`,
  `--image-opts|-c|read -P 1 0 64k|-c|map|driver=copy-on-read,bottom=yy,file.node-name=yy,${B}`,
  "--image-opts|-c|write -P 5 0 64k|-c|write -P 6 64k 4k|-c|write -P 7 132k 200k|-c|write -z 512k 64k|-c|read -P 6 64k 4k" +
  "|-c|read -P 0 68k 60k|-c|discard 0 64k|driver=compress,file.driver=qcow2,file.file.filename=c",
  "-c|write -P 7 300k 64k|-c|read -P 7 132k 200k|-c|map|c",
  "--image-opts|-c|write -P 5 256k 64k|-c|write -P 6 900k 64k|-c|read -P 6 900k 64k|driver=qcow2,file.driver=preallocate," +
  "file.file.filename=c",
  "--image-opts|-t|writeback|-c|write -P 1 0 512|-c|write -P 2 4096 1024|-c|flush|-c|discard 0 4096|-c|write -z 512 512|-c" +
  `|flush|-c|write -P 3 100 100|-c|read -P 3 100 100|${LOG}`,
  `--image-opts|-t|writeback|-c|write -P 9 8k 512|${LOG},log-append=on`,
  "--image-opts|-t|writeback|-c|write 512 512|-c|write 0 4096|-c|write 4608 4096|driver=blklogwrites,file.filename=r0," +
  "log.filename=empty,log-sector-size=4096",
  `-f|raw|-c|read 0 512|-c|read 0 512|-c|write 0 512|-c|write 2048 512|-c|write 0 512|blkdebug:rules:r1`,
  "--image-opts|-c|read 4k 4k|-c|write -P 8 4k 4k|-c|read -P 8 4k 4k|driver=blkverify,raw.filename=r1,test.driver=raw," +
  "test.file.filename=r2",
  `--image-opts|-c|read -P 1 16k 4k|-c|write -P 4 16k 4k|-c|read -P 4 16k 4k|${QUORUM},vote-threshold=2`,
  "-f|raw|-c|write -P 1 32k 4k|r2",
  `--image-opts|-c|read -P 1 32k 4k|-c|write -z 32k 4k|-c|read -P 0 32k 4k|-c|flush|${QUORUM},vote-threshold=2`,
  "-f|raw|-c|write -P 5 0 512|r0",
  "-f|raw|-c|write -P 6 0 512|r1",
  "-f|raw|-c|write -P 7 0 512|r2",
  `--image-opts|-c|read 0 512|${QUORUM},vote-threshold=2`,
  `--image-opts|-c|read -P 5 0 512|${QUORUM},vote-threshold=2,read-pattern=fifo`,
  "-f|raw|-c|write -P 5 0 512|r2",
  `--image-opts|-c|read -P 5 0 512|${QUORUM},vote-threshold=2,rewrite-corrupted=on`,
  "-f|raw|-c|read -P 5 0 512|r1",
];

Deno.test({
  name: "filters: names, options and what lies below",
  ignore: !haveProgram("qemu-img"),
  fn: () => imgSideBySide(SET_UP, INFO_ROWS),
});

function level(text: string): string {
  return text.replaceAll(/; [\d:.]+(?: sec)? \([^)]*\)/g, "; TIME");
}

Deno.test({
  name: "filters: requests, and the log of writes",
  ignore: !haveProgram("qemu-io"),
  async fn() {
    await using ours = await TempFolder.make();
    await using theirs = await TempFolder.make();
    for (const command of SET_UP) await must("sh", ["-ec", command], { cwd: theirs.path });
    await must("cp", ["-a", `${theirs.path}/.`, ours.path]);
    const args = (row: string) =>
      row.split("|").flatMap((word) => word.startsWith("--object") ? word.split(" ") : [word]);
    const mine = await runMoaIo(IO_ROWS.map((row) => ({ folder: ours.path, args: args(row), typed: "" })));
    const shown = (row: string, { code, stdout, stderr }: IoOutcome) =>
      `${row}\n${code}\n${level(stdout)}\n${level(stderr)}`;
    const expected: string[] = [];
    for (const row of IO_ROWS) expected.push(shown(row, await run("qemu-io", args(row), { cwd: theirs.path })));
    assertEquals(mine.map((outcome, index) => shown(IO_ROWS[index]!, outcome)), expected);
    for (const file of ["r0", "r1", "r2", "log", "empty"]) {
      await must("cmp", [`${ours.path}/${file}`, `${theirs.path}/${file}`]);
    }
    await must("qemu-img", ["compare", "-U", `${ours.path}/b`, `${theirs.path}/b`]);
    await must("qemu-img", ["compare", "-U", `${ours.path}/c`, `${theirs.path}/c`]);
    await must("qemu-img", ["check", "-q", `${ours.path}/c`]);
  },
});

// QEMU links a compressed cluster before it writes it: after this, reading there is an I/O error.
Deno.test({
  name:
    "filters: a compressed write that fails leaves what was there, and what is written again is read by the real program",
  ignore: !haveProgram("qemu-io"),
  async fn() {
    await using temp = await TempFolder.make();
    await must("qemu-img", ["create", "-q", "-f", "qcow2", temp.file("a"), "1M"]);
    const image = "driver=qcow2,file.driver=blkdebug,file.image.filename=a,file.set-state.0.event=write_compressed," +
      "file.set-state.0.new_state=2,file.inject-error.0.event=write_compressed,file.inject-error.0.state=2," +
      "file.inject-error.0.once=on";
    const commands = ["write -c -P 8 0 64k", "write -c -P 8 64k 64k", "write -c -P 9 128k 64k", "read -P 0 64k 64k"];
    const io = (file: readonly string[], commands: readonly string[]) =>
      runMoaIo([{ folder: temp.path, args: [...commands.flatMap((word) => ["-c", word]), ...file], typed: "" }]);
    const [failing] = await io(["--image-opts", image], commands);
    assertEquals(failing!.stdout.match(/write failed: Input\/output error/g)?.length, 1);
    const checks = ["read -P 8 0 64k", "read -P 0 64k 64k", "read -P 9 128k 64k"];
    const seen = await run("qemu-io", ["-f", "qcow2", ...checks.flatMap((word) => ["-c", word]), temp.file("a")]);
    assertEquals([seen.code, /fail/i.test(seen.stdout + seen.stderr)], [0, false], seen.stdout);
    // Nor is room lost.
    await must("qemu-img", ["check", "-q", temp.file("a")]);
    const [again] = await io(["-f", "qcow2", "a"], ["write -c -P 8 64k 64k", "read -P 8 0 128k"]);
    assertEquals([again!.code, /fail/i.test(again!.stdout)], [0, false], again!.stdout);
    await must("qemu-io", ["-f", "qcow2", "-c", "read -P 8 0 128k", "-c", "read -P 9 128k 64k", temp.file("a")]);
    await must("qemu-img", ["check", "-q", temp.file("a")]);
  },
});
