/**
 * The bus between a virtio device and its transport: one place, under `info qtree`'s name `virtio-bus`.
 *
 * @module
 */
import { Bus, type Device, type DeviceContext, PropertyError } from "../bus/mod.ts";
import type { RingMemory } from "./ring_memory.ts";

/** The type of bus that virtio devices name as theirs; each transport's is one of these. */
export const VIRTIO_BUS = "virtio-bus";

/** What a device asks of the transport that carries it. */
export interface Transport {
  /** Guest memory, while the device may master it. */
  readonly memory: RingMemory;
  /** Interrupts the driver by message `vector`, or by the pin, as `isr` says. */
  interrupt(vector: number, isr: number): void;
}

/** Type `virtio-pci-bus`. */
export class VirtioBus extends Bus {
  readonly transport: Transport;

  constructor(context: DeviceContext, parent: Device, transport: Transport) {
    super(context, "virtio-pci-bus", parent, "virtio-bus");
    this.transport = transport;
  }

  override attach(device: Device): void {
    if (device.type.busType !== VIRTIO_BUS) {
      throw new PropertyError(`Device '${device.type.name}' can't go on virtio-bus bus`);
    }
    super.attach(device);
  }
}
