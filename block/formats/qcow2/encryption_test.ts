/** Encrypted qcow2 images: data, VM state and snapshots, who may open them, and headers that were tampered with. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { createImage } from "../../create.ts";
import { BlockError } from "../../errors.ts";
import type { BlockGraph } from "../../graph.ts";
import { ObjectRegistry } from "../../objects/mod.ts";
import { pattern, testGraph } from "../../testing.ts";

const LUKS = { "encrypt.format": "luks", "encrypt.key-secret": "s", "encrypt.iter-time": "1" };
const AES = { "encrypt.format": "aes", "encrypt.key-secret": "s" };
const DISK_BYTES = 1 << 20;

function secrets(): ObjectRegistry {
  const objects = new ObjectRegistry();
  objects.add({ "qom-type": "secret", id: "s", data: "abc" });
  objects.add({ "qom-type": "secret", id: "t", data: "def" });
  return objects;
}

/** Runs `body` with the path of a fresh image, which is removed afterwards. */
async function withImage(
  options: Readonly<Record<string, string>>,
  body: (path: string, graph: BlockGraph) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await using graph = testGraph({ secrets: secrets() });
    const path = `${folder}/image`;
    const pairs = Object.entries(options).map(([name, value]) => ({ name, value: value.replace("FOLDER", folder) }));
    await createImage(graph, { filename: path, format: "qcow2", size: DISK_BYTES, options: pairs });
    await body(path, graph);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const open = (graph: BlockGraph, path: string, secret = "s") =>
  graph.openImage({ filename: path, options: { driver: "qcow2", encrypt: { "key-secret": secret } } });

/** Whether `needle` is anywhere in the file. */
async function holds(path: string, needle: Uint8Array): Promise<boolean> {
  const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  return text(await Deno.readFile(path)).includes(text(needle));
}

const SHAPES: readonly [name: string, options: Readonly<Record<string, string>>][] = [
  ["luks", LUKS],
  ["aes", AES],
  ["luks, 512-byte clusters", { ...LUKS, cluster_size: "512" }],
  ["luks, subclusters", { ...LUKS, extended_l2: "on", cluster_size: "16384" }],
  ["aes, version 2", { ...AES, compat: "0.10" }],
];

for (const [name, options] of SHAPES) {
  Deno.test(`${name}: snapshots and VM state come back, nothing of them lies in the file in the plain`, async () => {
    await withImage(options, async (path, graph) => {
      const node = await open(graph, path);
      const [first, second, state] = [pattern(70_001, 1), pattern(70_001, 2), pattern(30_003, 3)];
      await node.write(100_777, IoVector.of(first));
      await node.driver.vmState!.write(1111, IoVector.of(state));
      const { id } = await node.driver.snapshots!.create({
        name: "one",
        vmStateBytes: 1111 + state.length,
        dateSeconds: 0,
        dateNanoseconds: 0,
        vmClockNs: 0,
        icount: -1,
      });
      await node.write(100_777, IoVector.of(second));
      const read = async () => {
        const into = IoVector.allocate(first.length);
        await node.read(100_777, into);
        return into.toBytes();
      };
      assertEquals(await read(), second);
      const kept = IoVector.allocate(1000);
      await node.driver.snapshots!.readVmState!(id, 1111 + 777, kept);
      assertEquals(kept.toBytes(), state.subarray(777, 1777));
      await node.driver.snapshots!.apply(id);
      assertEquals(await read(), first);
      await node.driver.vmState!.read(1111 + 777, kept);
      assertEquals(kept.toBytes(), state.subarray(777, 1777));
      const check = await node.driver.check!({ fix: "none" });
      assertEquals([check.corruptions, check.leaks, check.checkErrors], [0, 0, 0], check.messages.join("\n"));
      await node.flush();
      for (const bytes of [first, second, state]) assert(!await holds(path, bytes.subarray(600, 632)));
    });
  });
}

Deno.test("luks: data in an external file is encrypted there", async () => {
  await withImage({ ...LUKS, data_file: "FOLDER/data" }, async (path, graph) => {
    const data = pattern(65536, 4);
    const node = await open(graph, path);
    await node.write(65536, IoVector.of(data));
    const into = IoVector.allocate(65536);
    await node.read(65536, into);
    assertEquals(into.toBytes(), data);
    await node.flush();
    const dataPath = `${path.slice(0, path.lastIndexOf("/"))}/data`;
    assertEquals((await Deno.stat(dataPath)).size, DISK_BYTES);
    assert(!await holds(dataPath, data.subarray(600, 632)));
    assert(!await holds(path, data.subarray(600, 632)));
  });
});

Deno.test("who may open an encrypted image", async () => {
  await withImage(AES, async (path, graph) => {
    const options = { driver: "qcow2", encrypt: { "key-secret": "s" } } as const;
    await assertRejects(() => graph.openImage({ filename: path }), BlockError, "'encrypt.key-secret' is required");
    await using machine = testGraph({ secrets: secrets(), inMachine: true });
    const error = await assertRejects(() => machine.openImage({ filename: path, options }), BlockError);
    assertEquals(error.message, "Use of AES-CBC encrypted qcow2 images is no longer supported in system emulators");
    const node = await graph.openImage({ filename: path, metadataOnly: true });
    assertEquals((await node.driver.info!()).specific!["encrypt"], { format: "aes" });
    await assertRejects(() => node.write(0, IoVector.of(pattern(512, 1))), BlockError, "Operation not permitted");
  });
  await withImage(LUKS, async (path) => {
    await using machine = testGraph({ secrets: secrets(), inMachine: true });
    await assertRejects(() => open(machine, path, "t"), BlockError, "Invalid password, cannot unlock any keyslot");
    await assertRejects(() => open(machine, path, "z"), BlockError, "No secret with id 'z'");
    await open(machine, path);
  });
});

const u32 = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
const u64 = (high: number, low: number) => Uint8Array.of(...u32(high), ...u32(low));

/** At which byte of the header what is written, and what qemu-img 7.2 said of it. */
const TAMPERED: readonly [at: number, bytes: Uint8Array, message: string][] = [
  [0x74, u32(8), "CRYPTO header extension size 8, but expected size 16"],
  [0x74, u32(24), "CRYPTO header extension size 24, but expected size 16"],
  [0x78, u64(0, 0x40200), "Encryption header offset '262656' is not a multiple of cluster size '65536'"],
  [0x78, u64(0, 0), "Volume is not in LUKS format"],
  [0x78, u64(0, 0x4000000), "Volume is not in LUKS format"],
  [0x78, u64(0xffffffff, 0xffff0000), "Could not read encryption header: Input/output error"],
  [0x80, u64(0, 0), "Request for data outside of extension header"],
  [0x80, u64(0, 100), "Request for data outside of extension header"],
  [0x70, u32(0x12345678), "Missing CRYPTO header for crypt method 2"],
  [0x20, u32(1), "CRYPTO header extension only expected with LUKS encryption method"],
  [0x20, u32(0), "CRYPTO header extension only expected with LUKS encryption method"],
  [0x20, u32(3), "Unsupported encryption method 3"],
];

Deno.test("luks: an encryption header that is not where it can be", async () => {
  await withImage(LUKS, async (path, graph) => {
    const good = await Deno.readFile(path);
    for (const [at, bytes, message] of TAMPERED) {
      const bad = good.slice();
      bad.set(bytes, at);
      await Deno.writeFile(path, bad);
      await assertRejects(() => open(graph, path), BlockError, message);
    }
    await Deno.writeFile(path, good);
    await open(graph, path);
  });
});
