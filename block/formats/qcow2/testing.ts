/**
 * What tests of this folder share: a file in memory below a real node, images opened over it, and qemu-img on its bytes.
 *
 * @module
 */
import { ManualClock } from "../../../base/clocks.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { SeededRandom } from "../../../base/random.ts";
import { NO_SECRETS } from "../../crypto/mod.ts";
import { DONE } from "../../done.ts";
import type { BlockDriver, CreateValues, Extent, OpenContext, RequestLimits } from "../../driver.ts";
import { BlockNode } from "../../node.ts";
import type { BlockdevOptionsQcow2 } from "../../options/blockdev.ts";
import { qcow2, Qcow2Driver } from "./driver.ts";

/** A file in memory that grows. */
export class MemoryFile implements BlockDriver {
  readonly name = "file";
  readonly limits: RequestLimits = { alignBytes: 1 };
  #bytes = new Uint8Array(1 << 16);
  #size = 0;
  flushes = 0;
  writes = 0;
  /** Answers at once (done.ts), as files in the page cache do. */
  prompt = false;

  constructor(content?: Uint8Array) {
    if (content !== undefined) {
      this.#bytes = content.slice();
      this.#size = content.length;
    }
  }

  get size(): number {
    return this.#size;
  }

  /** A copy of what the file holds. */
  content(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#size);
  }

  #grow(size: number): void {
    if (size > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(size, this.#bytes.length * 2));
      bytes.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = bytes;
    }
    this.#size = Math.max(this.#size, size);
  }

  read(at: number, into: IoVector): Promise<void> {
    const work = () => into.copyFrom(this.#bytes.subarray(at, at + into.length));
    if (!this.prompt) return Promise.resolve().then(work);
    work();
    return DONE;
  }

  write(at: number, from: IoVector): Promise<void> {
    const work = () => {
      this.writes++;
      this.#grow(at + from.length);
      from.copyTo(this.#bytes, at);
    };
    if (!this.prompt) return Promise.resolve().then(work);
    work();
    return DONE;
  }

  async writeZeroes(at: number, length: number): Promise<void> {
    this.#grow(at + length);
    this.#bytes.fill(0, at, at + length);
  }

  async discard(at: number, length: number): Promise<void> {
    this.#bytes.fill(0, at, Math.min(at + length, this.#size));
  }

  async flush(): Promise<void> {
    await Promise.resolve();
    this.flushes++;
  }

  async status(_at: number, length: number): Promise<Extent> {
    return { lengthBytes: length, kind: "data", allocated: true };
  }

  async truncate(size: number): Promise<void> {
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#grow(size);
    this.#size = size;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** An image that is open. */
export class OpenImage implements AsyncDisposable {
  constructor(
    readonly driver: Qcow2Driver,
    readonly node: BlockNode,
    readonly fileNode: BlockNode,
    readonly file: BlockDriver,
    readonly warnings: string[],
    readonly clock: ManualClock,
  ) {}

  read(at: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    return this.node.read(at, IoVector.of(bytes)).then(() => bytes);
  }

  write(at: number, bytes: Uint8Array): Promise<void> {
    return this.node.write(at, IoVector.of(bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.driver[Symbol.asyncDispose]();
  }
}

/** A protocol node over `file`. */
export function fileNode(file: BlockDriver, name = "file"): BlockNode {
  return new BlockNode({ name, driver: file, kind: "protocol", discard: true, filename: name });
}

/** Opens the image in `file`. */
export async function openTestImage(
  file: BlockDriver,
  options: Partial<BlockdevOptionsQcow2> & {
    backingNode?: BlockNode;
    dataNode?: BlockNode;
    readOnly?: boolean;
    forCheck?: boolean;
  } = {},
): Promise<OpenImage> {
  const { backingNode, dataNode: _, readOnly = false, forCheck = false, ...rest } = options;
  const node = fileNode(file);
  const warnings: string[] = [];
  const clock = new ManualClock();
  const context: OpenContext = {
    nodeName: "node0",
    readOnly,
    forCheck,
    cacheDirect: false,
    cacheNoFlush: false,
    clocks: { virtual: clock, realtime: clock, host: clock },
    random: new SeededRandom(1),
    secrets: NO_SECRETS,
    async openChild(role) {
      if (role === "file") return node;
      if (role === "data-file") return options.dataNode ?? fileNode(new MemoryFile(), "data-file");
      if (backingNode === undefined) throw new Error("no backing node given");
      return backingNode;
    },
    warn: (message) => void warnings.push(message),
  };
  const driver = await qcow2.open(
    { driver: "qcow2", file: "file", backing: backingNode === undefined ? null : "backing", ...rest },
    context,
  ) as Qcow2Driver;
  const top = new BlockNode({ name: "node0", driver, discard: rest.discard === "unmap", readOnly });
  return new OpenImage(driver, top, node, file, warnings, clock);
}

/** Makes an image in memory. */
export async function createTestImage(
  values: CreateValues,
  file: BlockDriver = new MemoryFile(),
  dataFile: BlockDriver = new MemoryFile(),
): Promise<BlockDriver> {
  const clock = new ManualClock();
  await qcow2.create!(values, {
    filename: "test.qcow2",
    clocks: { virtual: clock, realtime: clock, host: clock },
    random: new SeededRandom(1),
    file: fileNode(file),
    secrets: NO_SECRETS,
    createFile: () => Promise.resolve(fileNode(dataFile, "data-file")),
    openBacking: () => Promise.reject(new Error("no backing file here")),
  });
  return file;
}

/** Runs a program to its end. */
export async function runProgram(
  program: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const output = await new Deno.Command(program, { args, stdout: "piped", stderr: "piped" }).output();
  const decoder = new TextDecoder();
  return { code: output.code, stdout: decoder.decode(output.stdout), stderr: decoder.decode(output.stderr) };
}
