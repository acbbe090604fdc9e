/**
 * What a backend is made with, what its device answers to, and what it tells of itself.
 *
 * @module
 */
import type { BlockBackend } from "./backend.ts";
import type { BlockGraph } from "./graph.ts";
import type { ErrorAction, ReadErrorPolicy, WriteErrorPolicy } from "./policy.ts";

/** What the device behind a backend answers to. */
export interface DeviceHooks {
  /** In the object tree: `/machine/unattached/device[23]`. */
  readonly path: string;
  /** The device's `id`, or an empty string. */
  readonly id: string;
  /**
   * The user closes the tray over what is in it (`loaded`) or opens it; without a tray, a medium came or went. Says
   * `trayMoved` of the backend where the tray has moved.
   */
  mediumChanged(loaded: boolean): void;
  /** The user wants the medium back: the guest is told, as by the button. */
  ejectRequest(force: boolean): void;
  isTrayOpen(): boolean;
  isMediumLocked(): boolean;
  /** The medium has a new size. */
  resized(): void;
  /** Whether media can be exchanged; by default they can. */
  readonly removable?: boolean;
  /** Whether there is a tray (a floppy drive has none); by default what is removable has one. */
  readonly hasTray?: boolean;
}

/** A request as watchers see it. */
export interface BackendRequest {
  readonly backend: string;
  readonly operation: "read" | "write" | "flush" | "discard" | "write-zeroes";
  readonly at: number;
  readonly length: number;
  readonly result: "ok" | string;
  readonly startNs: number;
  readonly durationNs: number;
}

export interface BackendEvents {
  /** A request failed and the policy was asked: BLOCK_IO_ERROR. */
  error: {
    readonly backend: BlockBackend;
    readonly operation: "read" | "write";
    readonly action: ErrorAction;
    readonly noSpace: boolean;
    readonly reason: string;
  };
  "tray-moved": { readonly backend: BlockBackend; readonly open: boolean };
  request: BackendRequest;
}

export interface BackendOptions {
  readonly graph: BlockGraph;
  /** `"ide0-hd0"`; empty for a backend without a name. */
  readonly name?: string;
  readonly readOnly?: boolean;
  /** What the user of the backend does with the node; by default reading, and writing unless `readOnly`. */
  readonly used?: number;
  readonly shared?: number;
  readonly writeCache?: boolean;
  readonly werror?: WriteErrorPolicy;
  readonly rerror?: ReadErrorPolicy;
  /** A guest's device is going to have it. */
  readonly forGuest?: boolean;
  /** False for jobs and tools that go on while the node is drained. */
  readonly queueWhileDrained?: boolean;
}

/** How a request is counted. */
export interface RequestHow {
  /** Durable when it returns. */
  readonly fua?: boolean;
  /** Count it in the statistics; by default requests are. */
  readonly account?: boolean;
}
