/**
 * What tests open files with.
 *
 * @module
 */
import { assert } from "@std/assert";
import { HostClock, ManualClock } from "../../../base/clocks.ts";
import type { HostLibrary } from "../../../base/host/libc.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { SeededRandom } from "../../../base/random.ts";
import type { OpenContext } from "../../driver.ts";
import { NO_SECRETS } from "../../crypto/mod.ts";
import type { BlockdevOptionsFile } from "../../options/blockdev.ts";
import { FileDriver } from "./driver.ts";
import { PoolEngine, RingEngine } from "./engine.ts";
import { type FileOverrides, openFileDriver } from "./make.ts";
import type { FileDriverName } from "./open.ts";

/** A context; `changes` says what differs from an ordinary writable, cached file. */
export function testContext(changes: Partial<OpenContext> = {}): OpenContext {
  return {
    nodeName: "test",
    readOnly: false,
    cacheDirect: false,
    cacheNoFlush: false,
    clocks: { virtual: new ManualClock(), realtime: new HostClock(), host: new HostClock({ sinceEpoch: true }) },
    random: new SeededRandom(1),
    openChild: () => Promise.reject(new Error("a protocol has no children")),
    warn: () => {},
    secrets: NO_SECRETS,
    ...changes,
  };
}

/** How {@link openTestFile} opens. */
export interface TestOpen {
  readonly driver?: FileDriverName;
  readonly options?: Partial<BlockdevOptionsFile>;
  readonly context?: Partial<OpenContext>;
  readonly overrides?: FileOverrides;
}

/** Opens `filename` with the C library's driver. */
export async function openTestFile(filename: string, how: TestOpen = {}): Promise<FileDriver> {
  const name = how.driver ?? "file";
  const options = { driver: name, filename, ...how.options };
  const driver = await openFileDriver(name, options, testContext(how.context), how.overrides);
  assert(driver instanceof FileDriver);
  return driver;
}

/** Ways in which requests can go, by name; each must do the same. */
export const WAYS: Readonly<Record<string, TestOpen>> = {
  "quick path": {},
  "io_uring": { overrides: { engine: (host: HostLibrary) => new RingEngine(host), quick: false } },
  "threads": { overrides: { engine: (host: HostLibrary) => new PoolEngine(host), quick: false } },
  "io_uring, O_DIRECT": { options: { aio: "native" }, context: { cacheDirect: true } },
  "threads, O_DIRECT": {
    context: { cacheDirect: true },
    overrides: { engine: (host: HostLibrary) => new PoolEngine(host) },
  },
};

/** Reads `length` bytes at `at`. */
export async function readBytes(driver: FileDriver, at: number, length: number): Promise<Uint8Array> {
  const into = IoVector.allocate(length);
  await driver.read(at, into);
  return into.toBytes();
}
