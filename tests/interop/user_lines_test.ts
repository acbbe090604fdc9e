/**
 * Lines that QEMU's own documents show and that people type on their first day: the machine's command line.
 *
 * Each row is given to qemu-system-x86_64 and to moa under that name, in equal folders, with the same words typed at the
 * prompt; outputs and exit status have to be equal, or to be what the row says. What moa does beyond that under its own
 * name has rows of its own.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runMoaImg } from "../support/moa_img.ts";
import { runMoaSystem } from "../support/moa_system.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { normalise } from "../transcripts/format.ts";
import { words } from "../transcripts/replay.ts";

const QEMU = "qemu-system-x86_64";
const SET_UP = "qemu-img create -q -f qcow2 rhel6u3.img 8M; qemu-img create -q -f qcow2 test.img 8M; " +
  "qemu-img create -q -f raw rhel6u3.iso 1M; qemu-img create -q -f raw F 1M";
/** The prompt is asked what became of it. */
const TYPED = "info block\ninfo qtree\nquit\n";
/** What moa does not have is declined for both, so that devices have equal numbers. */
const ALWAYS = words(
  "-accel tcg -S -display none -vga none -net none -serial none -parallel none -monitor stdio",
);

/** A line, and where moa differs on purpose; of what it refuses, QEMU's answer is not asked. */
interface Row {
  readonly line: string;
  /** moa's standard error beside QEMU's, which is asked for the one CPU that moa has. */
  readonly warns?: string;
  /** moa refuses with this. */
  readonly refused?: string;
}

const equal = (...lines: string[]): Row[] => lines.map((line) => ({ line }));

const CACHES = ["none", "off", "writeback", "writethrough", "directsync", "unsafe"];

const ROWS: readonly Row[] = [
  { line: "-m 1024 -smp 2 rhel6u3.img", warns: "warning: -smp 2: the machine gets one CPU\n" },
  { line: "-m 1024 -smp 2 -hda rhel6u3.img", warns: "warning: -smp 2: the machine gets one CPU\n" },
  ...equal(
    "-drive file=rhel6u3.img,if=ide,cache=writethrough",
    "-hda test.img",
    "-drive file=test.img,if=ide,cache=writeback,aio=threads",
    "-drive file=test.img,id=ide0-hd0,if=none,cache=writeback,aio=threads -device ide-hd,bus=ide.0,drive=ide0-hd0",
    "-drive file=test.img,id=ide0-hd0,if=none,cache=writeback,aio=threads -device ide-drive,bus=ide.0,drive=ide0-hd0",
    "-device ide-drive,help",
    "-device ide-hd,help",
    "-drive file=test.img,if=none,id=mydisk -device ide-hd,bus=ide.0,drive=mydisk,physical_block_size=4096",
    "-cdrom F",
    "-sd F",
    "-mtdblock F",
    ...["scsi", "sd", "mtd", "none", "ide"].map((bus) => `-drive file=test.img,if=${bus}`),
    ...CACHES.map((cache) => `-drive file=test.img,cache=${cache}`),
    "-drive file=test.img,aio=native",
    "-drive file=test.img,aio=native,cache=none",
    "-drive file=test.img,aio=native,cache=directsync",
    "-drive file=/dev/no-such-disk",
    "-boot order=dc -hda rhel6u3.img -cdrom rhel6u3.iso",
    "-boot dc,once=n,menu=off -hda rhel6u3.img",
    "-boot order=c,once=d,menu=on -hda rhel6u3.img -cdrom rhel6u3.iso",
    "-boot order=x -hda rhel6u3.img",
    "-drive file=rhel6u3.img,if=virtio",
    "-drive file=rhel6u3.img,if=virtio,werror=stop,cache=none,index=3",
    "-drive file=rhel6u3.img,if=none,id=d -device virtio-blk-pci,drive=d,id=v,queue-size=3",
    "-drive file=rhel6u3.img,if=none,id=d -device virtio-blk,drive=d,id=v,scsi=on,bootindex=1",
    "-drive file=rhel6u3.img,if=none,id=d -device virtio-blk-pci-transitional,drive=d,addr=5",
    "-object iothread,id=io -drive file=rhel6u3.img,if=none,id=d -device virtio-blk-pci,drive=d,iothread=io",
    "-drive file=rhel6u3.img,if=none,id=d -device virtio-blk-pci,drive=d,iothread=io",
    "-drive if=virtio",
    "-fda F",
    "-fda F -fdb F",
    "-drive file=F,format=raw,if=floppy",
    "-drive file=F,format=raw,if=floppy,index=1",
    "-drive file=F,format=raw,if=floppy,werror=stop",
    "-drive file=F,format=raw,if=none,id=f -device floppy,drive=f,drive-type=144",
    "-drive file=F,format=raw,if=none,id=f,rerror=stop -device floppy,drive=f",
    "-device virtio-blk-pci",
    "-device virtio-blk-pci,help",
  ),
  {
    line: "-drive file=F,format=raw,if=pflash",
    refused: "-drive file=F,format=raw,if=pflash: moa has no flash chips yet (if=pflash)\nUse if=ide.\n",
  },
  {
    line: "-drive file=nbd:localhost:10809",
    refused: "-drive file=nbd:localhost:10809: Unknown protocol 'nbd'\nmoa has no driver 'nbd' yet.\n",
  },
  {
    line: "-drive file=gluster+tcp://1.2.3.4/testvol/a.img",
    refused: "-drive file=gluster+tcp://1.2.3.4/testvol/a.img: Unknown protocol 'gluster+tcp'\n" +
      "moa has no driver 'gluster' yet.\n",
  },
];

const ignore = !haveProgram("qemu-img") || !haveProgram(QEMU);

Deno.test({
  name: "lines of the documents: the same machine, answer and exit status as QEMU's",
  ignore,
  fn: async (t) => {
    await using ours = await TempFolder.make();
    await using theirs = await TempFolder.make();
    for (const { path } of [ours, theirs]) await must("sh", ["-ec", SET_UP], { cwd: path });
    const argsOf = ({ line }: Row) => [...words(line), ...ALWAYS];
    const outcomes = await runMoaSystem(
      ROWS.map((row) => ({ folder: ours.path, name: QEMU, args: argsOf(row), stdin: TYPED })),
    );
    for (const [index, row] of ROWS.entries()) {
      await t.step(row.line, async () => {
        const { code, stdout, stderr } = outcomes[index]!;
        if (row.refused !== undefined) {
          return assertEquals([code, stdout, stderr], [1, "", `${QEMU}: ${row.refused}`]);
        }
        const theirLine = row.warns === undefined ? row.line : row.line.replace("-smp 2", "-smp 1");
        const real = await run(QEMU, argsOf({ line: theirLine }), {
          cwd: theirs.path,
          stdin: TYPED,
          timeoutMs: 120_000,
        });
        const warned = row.warns === undefined ? "" : `${QEMU}: ${row.warns}`;
        assertEquals(
          [code, normalise(stdout, ours.path), normalise(stderr, ours.path)],
          [real.code, normalise(real.stdout, theirs.path), normalise(warned + real.stderr, theirs.path)],
        );
      });
    }
  },
});

Deno.test({
  name: "as moa, old names work with a note, and mistakes are told what was meant",
  ignore,
  fn: async () => {
    await using temp = await TempFolder.make();
    await must("sh", ["-ec", SET_UP], { cwd: temp.path });
    const lines = [
      "-drive file=test.img,if=none,id=mydisk -device ide-drive,bus=ide.0,drive=mydisk,physical_block_size=4096",
      "-device ide-drive,help",
      "-driv file=test.img",
      "-hda=test.img",
      "-hda test.img -device ide-hdd",
      "-boot order=x",
    ];
    const outcomes = await runMoaSystem(
      lines.map((line) => ({ folder: temp.path, name: "moa", args: [...words(line), "-S"], stdin: TYPED })),
    );
    assertStringIncludes(outcomes[0]!.stdout, "physical_block_size = 4096 (4 KiB)");
    assertStringIncludes(outcomes[1]!.stdout, "ide-hd options:\n");
    assertEquals(outcomes.map(({ code, stderr }) => [code, stderr]), [
      [
        0,
        "moa: -device ide-drive,bus=ide.0,drive=mydisk,physical_block_size=4096: " +
        "note: 'ide-drive' is called 'ide-hd' now\n",
      ],
      [0, "moa: -device ide-drive,help: note: 'ide-drive' is called 'ide-hd' now, or 'ide-cd' with a CD\n"],
      [1, "moa: -driv: invalid option\nDid you mean '-drive'?\n"],
      [1, "moa: -hda=test.img: invalid option\nDid you mean '-hda test.img'?\n"],
      [1, "moa: -device ide-hdd: 'ide-hdd' is not a valid device model name\nDid you mean 'ide-hd'?\n"],
      [1, "moa: -boot order=x: Invalid boot device 'x'\n"],
    ]);
  },
});

Deno.test({
  name: "lines of the documents that make and check images",
  ignore,
  fn: async () => {
    const rows = [
      "create -f raw image_file 4G",
      "create -f qcow2 F20 20G",
      "create -f qcow2 -o help F",
      "create -f qcow2 -o ? temp.qcow",
      "create -f qcow2 -o compat=1.1,lazy_refcounts=on F4 4G",
      "create -o backing_file=F,backing_fmt=raw -f qcow2 img1.qcow2",
      "create -b rhel6u3.img -f qcow2 rhel7u2.qcow2 50G",
      "check F20",
      "check rhel6u3.img",
      "snapshot -l rhel6u3.img",
      "info rhel6u3.img",
    ];
    await using ours = await TempFolder.make();
    await using theirs = await TempFolder.make();
    for (const { path } of [ours, theirs]) await must("sh", ["-ec", SET_UP], { cwd: path });
    const outcomes = await runMoaImg(rows.map((row) => ({ folder: ours.path, args: row.split(" ") })));
    for (const [index, row] of rows.entries()) {
      const real = await run("qemu-img", row.split(" "), { cwd: theirs.path });
      const { code, stdout, stderr } = outcomes[index]!;
      assertEquals(
        [code, normalise(stdout, ours.path), stderr],
        [real.code, normalise(real.stdout, theirs.path), real.stderr],
        row,
      );
    }
  },
});
