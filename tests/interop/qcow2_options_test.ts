/**
 * qcow2's creation options against the real qemu-img, both ways: every value of every option, and every pair of values
 * that an image can have.
 *
 * One image is made here and looked at, written and read there; another one is made there and written here. Both have to
 * pass both checks and hold what was written, with a byte array as the truth.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { HostClock } from "../../base/clocks.ts";
import { IoVector } from "../../base/io_vector.ts";
import { parseOptionPairs } from "../../base/keyval.ts";
import { SeededRandom } from "../../base/random.ts";
import { KiB } from "../../base/units.ts";
import { BlockGraph, type BlockNode, createImage, type OptionTree } from "../../block/mod.ts";
import { CREATE_OPTIONS } from "../../block/formats/qcow2/create_plan.ts";
import { ObjectRegistry } from "../../block/objects/mod.ts";
import { MEASURING_MS, SLOW_HASH, untilMeasured } from "../support/key_slots.ts";
import { ModelDisk } from "../support/model.ts";
import { type Choice, type Choices, pairwise } from "../support/pairwise.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

/** The options of encryption, as they go together. */
const CIPHERS: Readonly<Record<string, readonly string[]>> = {
  "": [],
  aes: ["encrypt.format=aes"],
  old: ["encryption=on"],
  luks: ["encrypt.format=luks"],
  "luks cbc": [
    "encrypt.format=luks",
    "encrypt.cipher-alg=aes-128",
    "encrypt.cipher-mode=cbc",
    "encrypt.ivgen-alg=essiv",
    "encrypt.ivgen-hash-alg=sha256",
  ],
  "luks xts": [
    "encrypt.format=luks",
    "encrypt.cipher-alg=aes-192",
    "encrypt.cipher-mode=xts",
    "encrypt.ivgen-alg=plain64",
    "encrypt.hash-alg=sha1",
  ],
};

/** Values of the options, "" for not given; an option without a row here fails a test. */
const VALUES: Choices = {
  size: ["1M", "777728"],
  cluster_size: ["", "512", "4k", "2M"],
  compat: ["", "0.10", "v3"],
  refcount_bits: ["", "1", "8", "64"],
  lazy_refcounts: ["", "on"],
  preallocation: ["", "metadata", "falloc", "full"],
  backing_file: ["", "base.raw", "base.qcow2"],
  compression_type: ["", "zlib", "zstd"],
  extended_l2: ["", "on"],
  data_file: ["", "IMAGE.data"],
  data_file_raw: ["", "on"],
  encrypt: Object.keys(CIPHERS),
};

/** Options that come with another one, as `optionsOf` says. */
const ALONG = ["backing_fmt", "encrypt.key-secret", "encrypt.iter-time"];

const SECRET = ["--object", "secret,id=sec0,data=correct horse"];

/** Which options an image cannot have together; each is a refusal of qemu-img's, which the last test shows. */
const RULES: readonly ((choice: Choice) => boolean)[] = [
  (c) => c["compat"] === "0.10" && c["refcount_bits"] !== "",
  (c) => c["compat"] === "0.10" && c["lazy_refcounts"] !== "",
  (c) => c["compat"] === "0.10" && c["compression_type"] === "zstd",
  (c) => c["compat"] === "0.10" && c["extended_l2"] !== "",
  (c) => c["compat"] === "0.10" && c["data_file"] !== "",
  (c) => ["512", "4k"].includes(c["cluster_size"]!) && c["extended_l2"] !== "",
  (c) => c["preallocation"] !== "" && c["backing_file"] !== "" && c["extended_l2"] === "",
  (c) => c["data_file_raw"] !== "" && c["data_file"] === "",
  (c) => c["data_file_raw"] !== "" && c["backing_file"] !== "",
];

function isPossible(choice: Choice): boolean {
  return !RULES.some((rule) => rule(choice));
}

/** What `encrypt.format` is for opening; "" for none. */
function cipherFormat(choice: Choice): string {
  const name = choice["encrypt"]!;
  return name.startsWith("luks") ? "luks" : name === "" ? "" : "aes";
}

/** `-o` words of a choice for an image called `image`. */
function optionsOf(choice: Choice, image: string): string[] {
  const words = Object.entries(choice).filter(([name, value]) => name !== "encrypt" && value !== "")
    .map(([name, value]) => `${name}=${value.replace("IMAGE", image)}`);
  words.push(...CIPHERS[choice["encrypt"]!]!);
  if (choice["backing_file"] !== "") {
    words.push(`backing_fmt=${choice["backing_file"]!.endsWith(".raw") ? "raw" : "qcow2"}`);
  }
  if (choice["encrypt"] !== "") words.push("encrypt.key-secret=sec0");
  if (cipherFormat(choice) === "luks") words.push("encrypt.iter-time=10");
  return words;
}

const BASE_BYTES = 600 * KiB;

/** A folder with backing files, and both programs at work in it. */
class Bench {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async prepare(): Promise<void> {
    await must("qemu-img", ["create", "-q", "-f", "raw", "base.raw", String(BASE_BYTES)], { cwd: this.folder });
    await must("qemu-io", ["-f", "raw", "-c", `write -q -P 7 0 ${BASE_BYTES}`, "base.raw"], { cwd: this.folder });
    await must("qemu-img", ["convert", "-O", "qcow2", "base.raw", "base.qcow2"], { cwd: this.folder });
  }

  graph(): BlockGraph {
    // How often keys are derived is found by measuring.
    const clock = new HostClock();
    const secrets = new ObjectRegistry();
    secrets.add({ "qom-type": "secret", id: "sec0", data: "correct horse" });
    const clocks = { virtual: clock, realtime: clock, host: clock };
    return new BlockGraph({ clocks, random: new SeededRandom(1), warn: () => {}, secrets });
  }

  /** What opens the image, as `--image-opts` and as options here. */
  options(choice: Choice, image: string): OptionTree {
    return {
      driver: "qcow2",
      file: { driver: "file", filename: `${this.folder}/${image}` },
      ...(choice["encrypt"] === "" ? {} : { encrypt: { format: cipherFormat(choice), "key-secret": "sec0" } }),
      ...(choice["data_file"] === ""
        ? {}
        : { "data-file": { driver: "file", filename: `${this.folder}/${image}.data` } }),
    };
  }

  qemu(program: string, args: readonly string[], choice: Choice, image: string, last: readonly string[] = []) {
    const json = `json:${JSON.stringify(this.options(choice, image))}`;
    const words = program === "qemu-img" ? [args[0]!, ...SECRET, ...args.slice(1)] : [...SECRET, ...args];
    return run(program, [...words, json, ...last], { cwd: this.folder });
  }
}

function bytesOfSize(choice: Choice): number {
  return choice["size"] === "1M" ? 1024 * KiB : Number(choice["size"]);
}

/** What a new image reads as: its backing file, else zeroes. */
function emptyDisk(choice: Choice): ModelDisk {
  const disk = new ModelDisk(bytesOfSize(choice));
  if (choice["backing_file"] !== "") disk.fill(0, BASE_BYTES, 7);
  return disk;
}

/** Preallocated and encrypted clusters read as noise until they are written. */
function startsAsNoise(choice: Choice): boolean {
  return choice["encrypt"] !== "" && choice["preallocation"] !== "";
}

/** Writes, zeroes and, where the image can have it, compressed data; the model follows. */
async function use(node: BlockNode, choice: Choice, model: ModelDisk, seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const write = async (at: number, length: number, byte: number) => {
    await node.write(at, IoVector.of(new Uint8Array(length).fill(byte)));
    model.fill(at, length, byte);
  };
  if (startsAsNoise(choice)) await write(0, model.size, 1);
  for (let n = 0; n < 6; n++) {
    const at = random.below(model.size / 512 - 200) * 512;
    await write(at, 512 * (1 + random.below(200)), 10 + n);
  }
  const at = random.below(600) * 1024;
  await node.writeZeroes(at, 32 * KiB, { unmap: seed % 2 === 0 });
  model.fill(at, 32 * KiB, 0);
  const cluster = (await node.driver.info!()).clusterSizeBytes!;
  if (choice["data_file"] === "" && choice["encrypt"] === "" && cluster <= model.size) {
    await node.writeCompressed(0, IoVector.of(new Uint8Array(cluster).fill(99)));
    model.fill(0, cluster, 99);
  }
}

/** The real program finds nothing wrong with the image, and reads what the model holds. */
async function checkThere(bench: Bench, choice: Choice, image: string, model: ModelDisk): Promise<void> {
  const checked = await bench.qemu("qemu-img", ["check"], choice, image);
  assertEquals([checked.code, checked.stderr], [0, ""], checked.stdout);
  const raw = `${bench.folder}/read.raw`;
  const converted = await bench.qemu("qemu-img", ["convert", "-O", "raw"], choice, image, [raw]);
  assertEquals([converted.code, converted.stderr], [0, ""]);
  const bytes = await Deno.readFile(raw);
  assertEquals(bytes.length, model.size);
  model.assertSame(bytes);
}

async function checkHere(bench: Bench, choice: Choice, image: string, model: ModelDisk): Promise<void> {
  await using graph = bench.graph();
  const node = await graph.openImage({ options: { ...bench.options(choice, image), "read-only": true } });
  const { messages, corruptions, leaks } = await node.driver.check!({ fix: "none" });
  assertEquals([messages, corruptions, leaks], [[], 0, 0]);
  const bytes = new Uint8Array(model.size);
  await node.read(0, IoVector.of(bytes));
  model.assertSame(bytes);
}

async function writeThere(bench: Bench, choice: Choice, image: string, model: ModelDisk): Promise<void> {
  const commands = ["write -q -P 77 100k 70k", "write -q -z 300k 64k", "write -q -P 78 511k 1k"];
  const written = await bench.qemu("qemu-io", commands.flatMap((command) => ["-c", command]), choice, image);
  assertEquals([written.code, written.stdout, written.stderr], [0, "", ""]);
  model.fill(100 * KiB, 70 * KiB, 77);
  model.fill(300 * KiB, 64 * KiB, 0);
  model.fill(511 * KiB, KiB, 78);
}

async function createHere(bench: Bench, choice: Choice, image: string): Promise<void> {
  await using graph = bench.graph();
  const { pairs } = parseOptionPairs(optionsOf(choice, image).join(","));
  await createImage(graph, { filename: image, format: "qcow2", options: pairs });
}

async function useHere(bench: Bench, choice: Choice, image: string, model: ModelDisk, seed: number): Promise<void> {
  await using graph = bench.graph();
  const options = { ...bench.options(choice, image), discard: "unmap" };
  await use(await graph.openImage({ options }), choice, model, seed);
}

async function createThere(bench: Bench, choice: Choice): Promise<void> {
  const options = optionsOf(choice, "there");
  const anyHash = cipherFormat(choice) === "luks" && !options.some((word) => word.startsWith("encrypt.hash-alg="));
  if (anyHash) options.push(`encrypt.${SLOW_HASH}`);
  const row = ["create", "-q", "-f", "qcow2", ...SECRET, "-o", options.join(","), "there"].map((word) => `'${word}'`)
    .join(" ");
  await must("sh", ["-ec", untilMeasured(row)], { cwd: bench.folder, timeoutMs: MEASURING_MS });
}

/** Made here, used by both, checked by both. */
async function fromHere(bench: Bench, choice: Choice, seed: number): Promise<void> {
  const model = emptyDisk(choice);
  await createHere(bench, absolute(choice, bench.folder), `${bench.folder}/here`);
  await useHere(bench, choice, "here", model, seed);
  await writeThere(bench, choice, "here", model);
  await checkThere(bench, choice, "here", model);
  await checkHere(bench, choice, "here", model);
}

/** Made there, used here, checked there. */
async function fromThere(bench: Bench, choice: Choice, seed: number): Promise<void> {
  const model = emptyDisk(choice);
  await createThere(bench, choice);
  await useHere(bench, choice, "there", model, seed);
  await checkThere(bench, choice, "there", model);
}

/** Each choice one way, in turns; with `MOA_ALL_PAIRS=1` both ways, which takes twice as long. */
async function oneWay(bench: Bench, choice: Choice, index: number): Promise<void> {
  const both = Deno.env.get("MOA_ALL_PAIRS") === "1";
  if (both || index % 2 === 0) await fromHere(bench, choice, index);
  if (both || index % 2 === 1) await fromThere(bench, choice, index);
}

/** File names from anywhere: this process stays where it is. */
function absolute(choice: Choice, folder: string): Choice {
  return choice["backing_file"] === "" ? choice : { ...choice, backing_file: `${folder}/${choice["backing_file"]}` };
}

const ignore = !haveProgram("qemu-img");

Deno.test("every creation option has values to be tried", () => {
  const ciphers = Object.values(CIPHERS).flat().map((option) => option.split("=")[0]!);
  const tried = new Set([...Object.keys(VALUES), ...ciphers, ...ALONG]);
  tried.delete("encrypt");
  assertEquals([...tried].sort(), CREATE_OPTIONS.map(({ name }) => name).sort());
});

Deno.test({
  name: "qcow2 images with every pair of creation options go both ways between moa and qemu-img",
  ignore,
  fn: async () => {
    await using folder = await TempFolder.make();
    const bench = new Bench(folder.path);
    await bench.prepare();
    const choices = pairwise(VALUES, isPossible);
    for (const [index, choice] of choices.entries()) {
      try {
        await oneWay(bench, choice, index);
      } catch (cause) {
        throw new Error(`${optionsOf(choice, "IMAGE").join(",")}: ${(cause as Error).message}`, { cause });
      }
    }
  },
});

Deno.test({
  name: "creation options that exclude each other are refused here in qemu-img's words",
  ignore,
  fn: async () => {
    await using folder = await TempFolder.make();
    const bench = new Bench(folder.path);
    await bench.prepare();
    const plain: Choice = Object.fromEntries(Object.keys(VALUES).map((name) => [name, VALUES[name]![0]!]));
    for (const rule of RULES) {
      const choice = breaking(rule, plain);
      const options = optionsOf(choice, "x");
      const there = await run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options.join(","), "x"], {
        cwd: bench.folder,
      });
      assertEquals(there.code, 1, options.join(","));
      const here = await createHere(bench, absolute(choice, folder.path), `${folder.path}/x`).then(
        () => "made",
        (error: Error) => error.message,
      );
      assertEquals(here, there.stderr.replace("qemu-img: x: ", "").trimEnd(), options.join(","));
    }
  },
});

/** A choice that breaks `rule` by as few values as can be. */
function breaking(rule: (choice: Choice) => boolean, plain: Choice): Choice {
  for (const [a, values] of Object.entries(VALUES)) {
    for (const one of values) {
      if (rule({ ...plain, [a]: one })) return { ...plain, [a]: one };
      for (const [b, others] of Object.entries(VALUES)) {
        for (const other of others) {
          if (rule({ ...plain, [a]: one, [b]: other })) return { ...plain, [a]: one, [b]: other };
        }
      }
    }
  }
  throw new Error("nothing breaks the rule");
}
