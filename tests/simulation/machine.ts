/**
 * What a run is made of, and what its steps may do with it.
 *
 * @module
 */
import type { BlockGraph, BlockNode } from "../../block/mod.ts";
import type { BitmapsModel } from "./bitmaps.ts";
import type { Features } from "./features.ts";
import type { Plant, SimulatedHost } from "./host.ts";
import type { GuestModel } from "./model.ts";
import type { Step } from "./workload.ts";

/** Everything that a run depends on. */
export interface Plan {
  readonly seed: number;
  readonly features: Features;
  readonly steps: readonly Step[];
  /** Verify one moment only (below 0: while the image is made); else power is lost at about one in `sparse` of them. */
  readonly point?: number;
  readonly sparse: number;
  readonly plant?: () => Plant;
}

/** Sectors. */
export interface Range {
  readonly first: number;
  readonly count: number;
}

/** A simulated machine as its guest and its operator see it. */
export interface Machine {
  readonly features: Features;
  /** The image's version, which amending changes. */
  readonly compat: string;
  /** Sectors that the disk had at the beginning. */
  readonly firstSectors: number;
  readonly model: GuestModel;
  readonly bitmaps: BitmapsModel;
  readonly host: SimulatedHost;
  readonly graph: BlockGraph;
  readonly node: BlockNode;
  /** No power was lost and nothing failed so far: there are no leaks. */
  readonly unharmed: boolean;
  /** Version 2 has no dirty bit: marks may lag behind references of a snapshot that was not finished. */
  marksMayLag: boolean;
  /** Starts `body` when there is room for it, and when no change to the same sectors is under way. */
  issue(range: Range & { readonly changes: boolean }, body: () => Promise<void>): Promise<void>;
  /** Waits until nothing is in flight. */
  settle(): Promise<void>;
  /** After so many completions nothing is answered any more; what is left is verified, and work goes on with it. */
  losePower(completions: number): Promise<void>;
  /** Closes the disk and opens it again. */
  reopen(): Promise<void>;
  /** Looks at the image's version again. */
  amended(): Promise<void>;
  /** Errors that the host's faults bring about pass; others end the run. @throws {Violation} */
  tolerate(error: unknown): void;
}
