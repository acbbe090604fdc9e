/**
 * What commands work on: a machine with its drives and traces, its log, and the monitor that asks.
 *
 * @module
 */
import type { ChardevSet, Machine } from "../machine/mod.ts";
import type { DriveMaker } from "./drive_maker.ts";
import type { IoBackground } from "./io/background.ts";
import type { MonitorLog } from "./log.ts";
import type { CommandRegistry } from "./schema/registry.ts";

/** What the monitor that asks knows of itself. */
export interface MonitorSession {
  /** Lines typed, the oldest first. */
  readonly history: readonly string[];
}

/** All that commands get. */
export interface MonitorContext {
  readonly machine: Machine;
  readonly drives: DriveMaker;
  readonly chardevs: ChardevSet;
  readonly log: MonitorLog;
  readonly registry: CommandRegistry;
  readonly session: MonitorSession;
  /** Requests that qemu-io's commands left running. */
  readonly io: IoBackground;
  /** `00000000-0000-0000-0000-000000000000` where none was given. */
  readonly uuid: string;
  /** Under QEMU's name: its text to the letter. */
  readonly strict: boolean;
  /** Writes a file for the user. @throws MonitorError */
  writeFile(filename: string, text: string): Promise<void>;
  /** Writes a picture for the user. @throws MonitorError */
  writeBytes(filename: string, bytes: Uint8Array): Promise<void>;
  /** Ends the program: `quit`. */
  quit(): void;
}
