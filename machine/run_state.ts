/**
 * The states that a machine is in, under QEMU's names, and what it tells the world.
 *
 * @module
 */
import type { DeviceRequest } from "../devices/bus/mod.ts";

/** As `query-status` and `info status` name them. */
export type RunState =
  /** Not started yet, or reset while it stood still. */
  | "prelaunch"
  | "running"
  | "paused"
  /** Stopped by a failed request whose policy is to stop. */
  | "io-error"
  /** Switched off, though still there. */
  | "shutdown"
  | "save-vm"
  | "restore-vm"
  /** Something broke that only a reset mends. */
  | "internal-error";

/** Why a machine resets or ends: QEMU's ShutdownCause. */
export type ShutdownCause =
  | "host-qmp-quit"
  | "host-qmp-system-reset"
  | "host-signal"
  | "host-ui"
  | "guest-shutdown"
  | "guest-reset";

/** What {@link import("./machine.ts").Machine.events} emits; upper case names are QMP's. */
export interface MachineEvents {
  STOP: Record<never, never>;
  RESUME: Record<never, never>;
  RESET: { readonly guest: boolean; readonly reason: ShutdownCause };
  SHUTDOWN: { readonly guest: boolean; readonly reason: ShutdownCause };
  POWERDOWN: Record<never, never>;
  BLOCK_IO_ERROR: {
    readonly device: string;
    readonly "node-name"?: string;
    readonly operation: "read" | "write";
    readonly action: "report" | "ignore" | "stop";
    readonly nospace: boolean;
    readonly reason: string;
  };
  DEVICE_TRAY_MOVED: { readonly device: string; readonly id: string; readonly "tray-open": boolean };
  DEVICE_DELETED: { readonly device?: string; readonly path: string };
  /** A decoded guest request has ended. */
  request: DeviceRequest;
  /** The state has changed; after the change. */
  "run-state": { readonly before: RunState; readonly now: RunState };
}
