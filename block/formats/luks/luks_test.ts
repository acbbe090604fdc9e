/** LUKS images in memory: data, key slots, and headers that somebody has damaged; the texts are what qemu-io 7.2 said. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { createImage } from "../../create.ts";
import { BlockError } from "../../errors.ts";
import type { BlockGraph } from "../../graph.ts";
import type { BlockNode } from "../../node.ts";
import { ObjectRegistry } from "../../objects/mod.ts";
import { pattern, testGraph } from "../../testing.ts";

const HEADER_BYTES = 2068480;
const DISK_BYTES = 65536;

function secrets(): ObjectRegistry {
  const objects = new ObjectRegistry();
  for (const [id, data] of [["s", "abc"], ["t", "def"], ["u", "ghi"]]) {
    objects.add({ "qom-type": "secret", id: id!, data: data! });
  }
  return objects;
}

/** The bytes of a small image with the passphrase of `s`. */
async function imageBytes(options: Record<string, string> = {}): Promise<Uint8Array> {
  await using graph = testGraph({ secrets: secrets() });
  const filename = await Deno.makeTempFile();
  try {
    const given = { "key-secret": "s", "iter-time": "1", ...options };
    const pairs = Object.entries(given).map(([name, value]) => ({ name, value }));
    await createImage(graph, { filename, format: "luks", size: DISK_BYTES, options: pairs });
    return await Deno.readFile(filename);
  } finally {
    await Deno.remove(filename);
  }
}

async function fileOf(graph: BlockGraph, bytes: Uint8Array): Promise<BlockNode> {
  const file = await graph.open({ driver: "memory", size: bytes.length, "node-name": "m" });
  if (bytes.length > 0) await file.write(0, IoVector.of(bytes));
  return file;
}

const open = (graph: BlockGraph, keySecret = "s") =>
  graph.open({ driver: "luks", file: "m", "key-secret": keySecret, "node-name": `with-${keySecret}` });

Deno.test("luks: data is read back, and lies in the file encrypted by its sector", async () => {
  await using graph = testGraph({ secrets: secrets() });
  const file = await fileOf(graph, await imageBytes());
  const node = await open(graph);
  assertEquals(node.size, DISK_BYTES);
  const data = pattern(3000, 1);
  await node.write(1000, IoVector.of(data));
  const read = IoVector.allocate(3000);
  await node.read(1000, read);
  assertEquals(read.toBytes(), data);
  // Equal sectors do not look equal.
  await node.write(4096, IoVector.of(new Uint8Array(1024)));
  const sealed = IoVector.allocate(1024);
  await file.read(HEADER_BYTES + 4096, sealed);
  const bytes = sealed.toBytes();
  assert(!sealed.isZero());
  assert(bytes.subarray(0, 512).some((byte, index) => byte !== bytes[512 + index]));
  await node.writeZeroes(8192, 512);
  const zeroes = IoVector.allocate(512);
  await node.read(8192, zeroes);
  assert(zeroes.isZero());
  await node.truncate(2 * DISK_BYTES);
  assertEquals(file.size, HEADER_BYTES + 2 * DISK_BYTES);
});

Deno.test("luks: passphrases come and go, the data stays", async () => {
  await using graph = testGraph({ secrets: secrets() });
  const file = await fileOf(graph, await imageBytes());
  const node = await open(graph);
  await node.write(0, IoVector.of(new Uint8Array(512).fill(7)));
  const amend = (keySlots: Parameters<NonNullable<BlockNode["driver"]["amend"]>>[0]["keySlots"] & object) =>
    node.driver.amend!({ keySlots });
  /** The first sector as another program sees it that comes with this passphrase. */
  const seen = async (secret: string) => {
    const bytes = IoVector.allocate(file.size);
    await file.read(0, bytes);
    await using other = testGraph({ secrets: secrets() });
    await fileOf(other, bytes.toBytes());
    const read = IoVector.allocate(512);
    await (await open(other, secret)).read(0, read);
    return read.toBytes();
  };
  const data = new Uint8Array(512).fill(7);
  await assertRejects(() => seen("t"), BlockError, "Invalid password, cannot unlock any keyslot");
  await amend({ state: "active", newSecret: "t", iterTimeMs: 1 });
  assertEquals([await seen("s"), await seen("t")], [data, data]);
  await assertRejects(
    () => amend({ state: "active", newSecret: "u", keyslot: 1 }),
    BlockError,
    "Refusing to overwrite active keyslot 1 - please erase it first",
  );
  await amend({ state: "inactive", oldSecret: "s" });
  await assertRejects(() => seen("s"), BlockError, "Invalid password");
  await assertRejects(
    () => amend({ state: "inactive", keyslot: 1 }),
    BlockError,
    "Attempt to erase the only active keyslot 1 which will erase all the data in the image irreversibly",
  );
  for (const keyslot of [8, -1]) {
    const shown = keyslot < 0 ? 4294967295 : keyslot;
    const text = `Invalid keyslot ${shown} specified, must be between 0 and 7`;
    await assertRejects(() => amend({ state: "inactive", keyslot }), BlockError, text);
  }
  for (let slot = 0; slot < 8; slot++) {
    if (slot !== 1) await amend({ state: "active", newSecret: "u", iterTimeMs: 1 });
  }
  await assertRejects(
    () => amend({ state: "active", newSecret: "u" }),
    BlockError,
    "Can't add a keyslot - all keyslots are in use",
  );
  await amend({ state: "inactive", oldSecret: "u", force: true });
  assertEquals(await seen("t"), data);
  await amend({ state: "inactive", keyslot: 1, force: true });
  await assertRejects(() => seen("t"), BlockError, "Invalid password");
});

const u32 = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
const text = (value: string) => new TextEncoder().encode(value);

const DAMAGED: readonly [at: number, bytes: Uint8Array, message: string][] = [
  [0, text("X"), "Volume is not in LUKS format"],
  [6, Uint8Array.of(0, 2), "LUKS version 2 is not supported"],
  [8, text("foo\0"), "Algorithm 'foo' with key size 32 bytes not supported"],
  [8, text("a".repeat(32)), "LUKS header cipher name is not NUL terminated"],
  [8, text("cast5\0"), "Algorithm 'cast5' with key size 32 bytes not supported"],
  [8, text("serpent\0"), "Algorithm 'serpent-256' not supported"],
  [40, text("foo\0"), "Unexpected cipher mode string format 'foo'"],
  [40, text("a".repeat(32)), "LUKS header cipher mode is not NUL terminated"],
  [40, text("xts-foo\0"), "IV generator 'foo' not supported"],
  [40, text("xts-essiv\0"), "Missing IV generator hash specification"],
  [40, text("xts-essiv:foo\0"), "Hash algorithm 'foo' not supported"],
  [40, text("foo-plain\0"), "Cipher mode 'foo' not supported"],
  [40, text("cbc-plain\0"), "Algorithm 'aes' with key size 64 bytes not supported"],
  [72, text("foo\0"), "Hash algorithm 'foo' not supported"],
  [72, text("a".repeat(32)), "LUKS header hash spec is not NUL terminated"],
  [104, u32(0), "LUKS payload is overlapping with the header"],
  [104, u32(7), "LUKS payload is overlapping with the header"],
  [104, u32(9), "Keyslot 0 is overlapping with the encrypted payload"],
  [104, u32(4039), "Keyslot 7 is overlapping with the encrypted payload"],
  [104, u32(0xffffffff), "Could not refresh total sector count: Input/output error"],
  [108, u32(0), "Algorithm 'aes' with key size 0 bytes not supported"],
  [108, u32(63), "Algorithm 'aes' with key size 31 bytes not supported"],
  [108, u32(128), "Keyslots 0 and 1 are overlapping in the header"],
  [108, u32(0xffffffff), "Keyslot 0 is overlapping with the encrypted payload"],
  [112, new Uint8Array(20), "Invalid password, cannot unlock any keyslot"],
  [164, u32(0), "LUKS key iteration count is zero"],
  [208, u32(5), "Keyslot 0 state (active/disable) is corrupted"],
  [208, u32(0xdead), "Invalid password, cannot unlock any keyslot"],
  [212, u32(0), "Keyslot 0 iteration count is zero"],
  [248, u32(0), "Keyslot 0 is overlapping with the LUKS header"],
  [248, u32(9), "Keyslots 0 and 1 are overlapping in the header"],
  [248, u32(4040), "Keyslot 0 is overlapping with the encrypted payload"],
  [252, u32(0), "Keyslot 0 is corrupted (stripes 0 != 4000)"],
  [252, u32(0xffffffff), "Keyslot 0 is corrupted (stripes -1 != 4000)"],
  [256, u32(0xac71f3), "Keyslot 1 iteration count is zero"],
  // QEMU would be busy for an hour with these two.
  [164, u32(0xffffffff), "PBKDF iterations 4294967295 larger than 200000000, the most that moa does"],
  [212, u32(0xffffffff), "PBKDF iterations 4294967295 larger than 200000000, the most that moa does"],
];

Deno.test("luks: a damaged header is refused at once", async () => {
  const good = await imageBytes();
  await using graph = testGraph({ secrets: secrets() });
  const file = await fileOf(graph, good);
  for (const [at, bytes, message] of DAMAGED) {
    await file.write(at, IoVector.of(bytes));
    await assertRejects(() => open(graph), BlockError, message);
    await file.write(0, IoVector.of(good.slice(0, 592)));
  }
  await open(graph);
});

Deno.test("luks: a file that ends early", async () => {
  const good = await imageBytes();
  const ends: readonly [bytes: number, message: string][] = [
    [0, "Volume is not in LUKS format"],
    [100, "LUKS payload is overlapping with the header"],
    [591, "Keyslot 7 is corrupted (stripes 3840 != 4000)"],
    [592, "Invalid password, cannot unlock any keyslot"],
    [100_000, "Invalid password, cannot unlock any keyslot"],
  ];
  for (const [bytes, message] of ends) {
    await using graph = testGraph({ secrets: secrets() });
    await fileOf(graph, good.slice(0, bytes));
    await assertRejects(() => open(graph), BlockError, message);
  }
});

Deno.test("luks: without its secret an image tells what it is, and no data", async () => {
  await using graph = testGraph();
  await fileOf(graph, await imageBytes({ "cipher-alg": "aes-128", "hash-alg": "sha1" }));
  await assertRejects(() => open(graph), BlockError, "No secret with id 's'");
  const options = { driver: "luks", file: "m" } as const;
  await assertRejects(() => graph.open(options), BlockError, "Parameter 'key-secret' is required for cipher");
  const node = await graph.openImage({ options, metadataOnly: true });
  const info = await node.driver.info!();
  assertEquals([info.specific!["cipher-alg"], info.specific!["hash-alg"]], ["aes-128", "sha1"]);
  await assertRejects(() => node.read(0, IoVector.allocate(512)), BlockError);
});
