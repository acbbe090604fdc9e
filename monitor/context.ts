/**
 * What commands work on: a machine with its drives and traces, its log, and the monitor that asks.
 *
 * @module
 */
import type { BlockBackend, BlockNode } from "../block/mod.ts";
import type { Machine } from "../machine/mod.ts";
import type { MonitorLog } from "./log.ts";
import type { CommandRegistry } from "./schema/registry.ts";

/** What `drive_add` came to. */
export type DriveAddition =
  | { readonly kind: "added"; readonly backend: BlockBackend }
  /** An interface that drives cannot be plugged into; QEMU says its number. */
  | { readonly kind: "unpluggable"; readonly interfaceNumber: number }
  /** `format=help`: the list. */
  | { readonly kind: "help"; readonly text: string };

/** How drives and nodes come from option strings: what `-drive` and `-blockdev` do, at run time. */
export interface DriveMaker {
  /** `drive_add`: options as in `-drive`. @throws an operating error with QEMU's text */
  addDrive(options: string): Promise<DriveAddition>;
  /** `drive_add -n`: options as in `-blockdev`. */
  addNode(options: string): Promise<void>;
  /** Opens an image as `change` does; the caller holds the node. */
  openMedium(filename: string, how: { readonly format?: string; readonly readOnly: boolean }): Promise<BlockNode>;
}

/** What the monitor that asks knows of itself. */
export interface MonitorSession {
  /** Lines typed, the oldest first. */
  readonly history: readonly string[];
}

/** All that commands get. */
export interface MonitorContext {
  readonly machine: Machine;
  readonly drives: DriveMaker;
  readonly log: MonitorLog;
  readonly registry: CommandRegistry;
  readonly session: MonitorSession;
  /** `00000000-0000-0000-0000-000000000000` where none was given. */
  readonly uuid: string;
  /** Under QEMU's name: its text to the letter. */
  readonly strict: boolean;
  /** Ends the program: `quit`. */
  quit(): void;
}
