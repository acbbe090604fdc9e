/**
 * `blkverify`: writes go to an image and to a raw copy of it, reads come from both and are compared.
 *
 * A difference ends QEMU's whole process. Here it is told in the same words, the request fails, and so does every one
 * after it: nothing that reads wrong goes on.
 *
 * Source: QEMU's docs/devel/testing/blkverify.rst. Discards and flushes of the raw copy do not matter, and zeroes are
 * written as bytes.
 *
 * @module
 */
import { errnoNumber } from "../../base/errno.ts";
import { IoVector } from "../../base/io_vector.ts";
import type { DriverDefinition, DriverInfo, Extent, RequestLimits } from "../driver.ts";
import { BlockError, errnoOf, ioError } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import type { BlockdevOptionsBlkverify } from "../options/blockdev.ts";
import { Filter } from "./filter.ts";
import { firstDifference } from "./difference.ts";

class BlkverifyDriver extends Filter {
  readonly #raw: BlockNode;
  readonly #say: (line: string) => void;
  #failure: BlockError | undefined;

  constructor(test: BlockNode, raw: BlockNode, say: (line: string) => void) {
    super("blkverify", test, "test");
    this.#raw = raw;
    this.#say = say;
  }

  override get limits(): RequestLimits {
    return { alignBytes: 1 };
  }

  override async read(at: number, into: IoVector): Promise<void> {
    const expected = IoVector.allocate(into.length);
    await this.#both("read", at, into.length, super.read(at, into), this.#raw.read(at, expected));
    const place = firstDifference(into.single ?? into.toBytes(), expected.single!);
    if (place !== undefined) this.#fail("read", at, into.length, `contents mismatch at offset ${at + place}`);
  }

  override async write(at: number, from: IoVector): Promise<void> {
    await this.#both("write", at, from.length, super.write(at, from), this.#raw.write(at, from));
  }

  override writeZeroes(): Promise<void> {
    return Promise.reject(ioError("write-zeroes", "ENOTSUP"));
  }

  override discard(): Promise<void> {
    return Promise.reject(ioError("discard", "ENOTSUP"));
  }

  override truncate(): Promise<void> {
    const text = "Image format driver does not support resize";
    return Promise.reject(new BlockError({ kind: "unsupported", feature: "truncate", text }));
  }

  override get filtered(): BlockNode {
    return this.#raw;
  }

  override async status(at: number, length: number): Promise<Extent> {
    const { lengthBytes, kind } = await this.#raw.status(at, length);
    return { lengthBytes, kind, allocated: true };
  }

  /** Two disks have none in common. */
  override get snapshots(): undefined {
    return undefined;
  }

  override get vmState(): undefined {
    return undefined;
  }

  override info(): Promise<DriverInfo> {
    return Promise.resolve({});
  }

  override allocatedBytes(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** Both end, then both have to have ended alike. */
  async #both(
    operation: "read" | "write",
    at: number,
    length: number,
    test: Promise<void>,
    raw: Promise<void>,
  ): Promise<void> {
    const [one, other] = await Promise.allSettled([test, raw]);
    if (this.#failure !== undefined) throw this.#failure;
    const [status, wanted] = [statusOf(one), statusOf(other)];
    if (status !== wanted) this.#fail(operation, at, length, `return value mismatch ${status} != ${wanted}`);
    if (one.status === "rejected") throw one.reason;
  }

  #fail(operation: "read" | "write", at: number, length: number, what: string): never {
    const text = `blkverify: ${operation} offset=${at} bytes=${length} ${what}`;
    this.#failure = new BlockError({ kind: "state", text, errno: "EIO" });
    this.#say(text);
    throw this.#failure;
  }
}

function statusOf(outcome: PromiseSettledResult<void>): number {
  return outcome.status === "fulfilled" ? 0 : -errnoNumber(errnoOf(outcome.reason));
}

/** The `blkverify` filter. */
export const blkverify: DriverDefinition<BlockdevOptionsBlkverify> = {
  name: "blkverify",
  kind: "filter",
  parseFilename(filename) {
    const rest = filename.slice("blkverify:".length);
    const colon = rest.indexOf(":");
    if (!filename.startsWith("blkverify:")) return { "x-image": filename };
    if (colon < 0) {
      const text = "blkverify requires raw copy and original image path";
      throw new BlockError({ kind: "option", option: "x-image", text });
    }
    return { "x-raw": rest.slice(0, colon), "x-image": rest.slice(colon + 1) };
  },
  async open(options, context) {
    const { raw, test, "x-raw": rawName, "x-image": testName } = options;
    const copy = await context.openChild("raw", raw, rawName === undefined ? {} : { filename: rawName });
    const named = testName === undefined ? {} : { filename: testName };
    const image = await context.openChild("test", test, { ...named, anyDriver: true });
    return new BlkverifyDriver(image, copy, (line) => (context.notice ?? context.warn)(line));
  },
};
