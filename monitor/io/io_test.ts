import { assertEquals } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { SeededRandom } from "../../base/random.ts";
import { BlockBackend, BlockGraph } from "../../block/mod.ts";
import { dump, formatReport } from "./report.ts";
import { IoBackground, ioCommands, runIoLine } from "./mod.ts";

const REPORT = {
  verb: "read",
  offset: 512,
  wantedBytes: 65536,
  doneBytes: 65536,
  operations: 1,
  machineReadable: false,
};

Deno.test("report lines", () => {
  assertEquals(
    formatReport({ ...REPORT, durationNs: 1_000_000 }),
    "read 65536/65536 bytes at offset 512\n64 KiB, 1 ops; 00.00 sec (62.500 MiB/sec and 1000.0000 ops/sec)\n",
  );
  assertEquals(
    formatReport({ ...REPORT, doneBytes: 512, wantedBytes: 512, durationNs: 2_500_000_000, machineReadable: true }),
    "512,1,0:00:02.50,204.800,0.400\n",
  );
  // Measured on QEMU 7.2, whose clock had gone wrong.
  assertEquals(
    formatReport({ ...REPORT, durationNs: 1_976_358_558_000 }).split("\n")[1],
    "64 KiB, 1 ops; 0:32:56.35 (33.159975 bytes/sec and 0.0005 ops/sec)",
  );
});

Deno.test("a dump shows letters and digits, and dots for all else", () => {
  assertEquals(
    dump(Uint8Array.from([0x41, 0x7a, 0x30, 0x20, 0x2e, 0x40, 0xff]), 510),
    "000001fe:  41 7a 30 20 2e 40 ff  Az0....\n",
  );
});

/** A disk of 1 MiB in memory, and what a line prints. */
async function withDisk(work: (io: (line: string) => Promise<string>) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const clocks = { virtual: clock, realtime: clock, host: clock };
  await using graph = new BlockGraph({ clocks, random: new SeededRandom(1) });
  await using backend = new BlockBackend({ graph, name: "d0" });
  const node = await graph.open({ driver: "memory", size: 1 << 20 });
  await backend.insertMedium(node);
  await graph.release(node);
  const background = new IoBackground();
  await work(async (line) => {
    let text = "";
    await runIoLine({
      backend,
      clock,
      table: ioCommands(),
      background,
      output: {
        print: (more) => void (text += more),
        error: (more) => void (text += more),
        show: (more) => void (text += more),
        report: (more) => void (text += `${more}\n`),
      },
      readFile: () => Promise.reject(new Error("No such file or directory")),
    }, line);
    await background.settled();
    background.listen((more) => void (text += more));
    background.listen(undefined);
    return text.replaceAll(/\d\d\.\d\d sec \([^)]*\)/g, "T");
  });
}

Deno.test("patterns are written, found, and missed", () =>
  withDisk(async (io) => {
    assertEquals(await io("write -P 0xab 512 1k"), "wrote 1024/1024 bytes at offset 512\n1 KiB, 1 ops; T\n");
    assertEquals(await io("read -P 0xab 512 1k"), "read 1024/1024 bytes at offset 512\n1 KiB, 1 ops; T\n");
    assertEquals(await io("read -q -P 0xab -s 512 -l 512 0 2k"), "");
    assertEquals(await io("read -q -P 1 0 512"), "Pattern verification failed at offset 0, 512 bytes\n");
    assertEquals(
      await io("readv -v 508 4 4"),
      "000001fc:  00 00 00 00 ab ab ab ab  ........\nread 8/8 bytes at offset 508\n8 bytes, 1 ops; T\n",
    );
    assertEquals(await io("aio_write -q -P 5 0 512"), "");
    assertEquals(await io("aio_flush"), "");
    assertEquals(await io("read -q -P 5 0 512"), "");
    assertEquals(await io("write -q -z 0 512"), "");
    assertEquals(await io("read -q -P 0 0 512"), "");
    assertEquals(await io("write -s nofile 0 512"), "nofile: No such file or directory\n");
  }));

// Recorded from qemu-io 7.2.
const REFUSALS: [string, string][] = [
  ["read", "bad argument count 0 to read, expected at least 2 arguments\n"],
  ["flush x", "bad argument count 1 to flush, expected 0 arguments\n"],
  ["truncate", "bad argument count 0 to truncate, expected between 1 and 3 arguments\n"],
  ["read x 512", "Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- x\n"],
  [
    "read 0 -1",
    "read: invalid option -- '1'\nread [-abCqv] [-P pattern [-s off] [-l len]] off len -- reads a number of bytes at a specified offset\n",
  ],
  ["read 0 3G", "length cannot exceed 2147483136, given 3G\n"],
  ["read -P 256 0 512", "256 is not a valid pattern byte\n"],
  ["read -P 0 -s 600 0 512", "pattern verification range exceeds end of read data\n"],
  ["read 1M 512", "read failed: Input/output error\n"],
  ["write -u 0 64k", "-u requires -z to be specified\n"],
  ["write -z -P 1 0 512", "Only one of -z, -P, and -s can be specified at the same time\n"],
  ["write -c -f 0 64k", "-f and -b or -c cannot be specified at the same time\n"],
  ["aio_write -z 0 64k 64k", "-z supports only a single length parameter\n"],
  ["truncate -m foo 64M", "Invalid preallocation mode 'foo'\n"],
  ["sleep x", "x is not a valid number\n"],
  ["help foo", "command foo not found\n"],
  ["foo", 'command "foo" not found\n'],
  ["break a b", "Could not set breakpoint: Operation not supported\n"],
  ["remove_break x", "Could not remove breakpoint x: Operation not supported\n"],
  ["", ""],
];

Deno.test("what qemu-io refuses, in its words", () =>
  withDisk(async (io) => {
    for (const [line, text] of REFUSALS) assertEquals(await io(line), text, line);
  }));
