/**
 * What a node is made with, and what hooks on its writes are told.
 *
 * @module
 */
import type { IoVector } from "../base/io_vector.ts";
import type { BlockDriver } from "./driver.ts";
import type { NodeTraces } from "./traces.ts";

/** What a before-write hook is told: `from` is there for data only. */
export interface WriteNotice {
  readonly kind: "write" | "write-zeroes" | "discard" | "grow";
  readonly at: number;
  readonly length: number;
  readonly from?: IoVector;
}

/** Called before a write reaches the driver, which waits for it; a throw fails the write. */
export type BeforeWrite = (notice: WriteNotice) => Promise<void> | void;

/** What a node is made with. */
export interface NodeOptions {
  readonly name: string;
  readonly driver?: BlockDriver;
  readonly kind?: "format" | "protocol" | "filter";
  /** Asks of its children what is asked of itself, and no more; known before the driver is open. */
  readonly plain?: boolean;
  readonly readOnly?: boolean;
  readonly cacheDirect?: boolean;
  readonly cacheNoFlush?: boolean;
  /** Discards are passed on; else they are swallowed. */
  readonly discard?: boolean;
  readonly detectZeroes?: "off" | "on" | "unmap";
  readonly forceShare?: boolean;
  readonly autoReadOnly?: boolean;
  /** The name that `info block` shows: the file's name, or `json:{...}`. */
  readonly filename?: string;
  readonly traces?: NodeTraces;
}
