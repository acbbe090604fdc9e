/**
 * What a device gets from its machine: clocks, memory, tracing, a voice. Nothing else reaches it from outside.
 *
 * @module
 */
import type { Clocks } from "../../base/clocks.ts";
import type { Random } from "../../base/random.ts";
import type { TraceEvents } from "../../base/trace.ts";
import type { AddressSpace, PortSpace } from "./address_space.ts";
import type { Device } from "./device.ts";
import type { ObjectTree } from "./object_tree.ts";
import type { GuestRam } from "./ram.ts";

/** One decoded guest request, for whoever watches. */
export interface DeviceRequest {
  /** The backend's name, or the device's id. */
  readonly device: string;
  /** The device's path in the object tree. */
  readonly path: string;
  /** Under its specification's name: `READ DMA EXT`. */
  readonly command: string;
  readonly lba?: number;
  readonly sectors?: number;
  readonly bytes: number;
  /** `"ok"`, or what went wrong. */
  readonly result: string;
  /** When it began, on the virtual clock. */
  readonly startNs: number;
  readonly durationNs: number;
}

/** A machine as its devices see it. */
export interface DeviceContext {
  readonly clocks: Clocks;
  readonly random: Random;
  readonly trace: TraceEvents;
  /** Memory by guest-physical address, as a bus master sees it. */
  readonly ram: GuestRam;
  /** The CPU's memory. */
  readonly memory: AddressSpace;
  readonly ports: PortSpace;
  readonly objects: ObjectTree;
  /** Something that the user should know; one line without a newline. */
  warn(text: string): void;
  /** Reports a guest request that has ended. */
  request?(request: DeviceRequest): void;
  /** Asks the machine to reset: as if the button were pressed. */
  requestReset?(): void;
  /** The guest lets go of a device that the user wants out: see {@link HotplugHandler}. */
  ejected?(device: Device): void;
  /** Asks the machine to switch off. */
  requestShutdown?(): void;
}
