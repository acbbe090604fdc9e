/**
 * What QMP commands work on.
 *
 * Commands of storage need a graph and drives, and so work in a program without a machine as well; others need the
 * machine and its prompt.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { BlockGraph } from "../../block/mod.ts";
import type { BackendSet, ChardevSet, Machine } from "../../machine/mod.ts";
import type { HmpMonitor } from "../hmp/monitor.ts";
import type { QmpRegistry } from "./registry.ts";

/** What the client that asks has agreed with the server. */
export interface QmpSessionState {
  /** Nothing but `qmp_capabilities` is known before. */
  negotiated: boolean;
  /** Requests may overtake others. */
  outOfBand: boolean;
}

/** What every command gets. */
export interface StorageContext {
  readonly graph: BlockGraph;
  readonly backends: BackendSet;
  readonly chardevs: ChardevSet;
  /** Where there is one. */
  readonly machine: Machine | undefined;
  readonly registry: QmpRegistry;
  readonly session: QmpSessionState;
  /** Under QEMU's name: its text to the letter. */
  readonly strict: boolean;
  /** Ends the program; the reply is sent all the same. */
  quit(): void;
}

/** What the commands of a machine get. */
export interface MachineQmpContext extends StorageContext {
  /** Where there is a machine. */
  readonly hmp: HmpMonitor | undefined;
}

/** The prompt of the machine, without which a command makes no sense. */
export function promptOf({ hmp }: MachineQmpContext): HmpMonitor {
  assert(hmp !== undefined, "a command of machines in a program that has none");
  return hmp;
}
