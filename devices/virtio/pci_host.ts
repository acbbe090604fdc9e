/**
 * What the register blocks of a virtio-pci function ask of the function itself.
 *
 * @module
 */
import type { VirtioDevice } from "./virtio_device.ts";

/** The function behind a register block. */
export interface VirtioPciHost {
  /** The device that it carries. */
  readonly device: VirtioDevice;
  /** Messages that it can send; 0 for one without MSI-X. */
  readonly vectors: number;
  readonly messagesEnabled: boolean;
  /** Takes the interrupt pin down. */
  lowerPin(): void;
  /** Lets the function master the bus, for drivers that forget to. */
  masterBus(): void;
  /** The driver has reset the device: what the function itself remembers is forgotten too. */
  forget(): void;
}

/** A vector as a driver finds it after writing `wanted`: what cannot be had reads as "none". */
export function grantedVector(host: VirtioPciHost, wanted: number): number {
  return wanted < host.vectors ? wanted : 0xffff;
}
