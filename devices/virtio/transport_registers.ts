/**
 * The registers of both virtio-pci interfaces.
 *
 * Source: [VIRTIO 1.2] 4.1.4.3 "Common configuration structure layout", 4.1.4.10 "Legacy Interfaces".
 *
 * @module
 */
import { registerTable } from "../../base/registers.ts";

/** The common configuration structure of version 1. Rows named `queue-...` are those of the selected queue. */
export const COMMON = registerTable({
  "device-feature-select": { offset: 0, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.4.3" },
  "device-feature": { offset: 4, size: 4, access: "ro", section: "[VIRTIO 1.2] 4.1.4.3" },
  "driver-feature-select": { offset: 8, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.4.3" },
  "driver-feature": { offset: 12, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.4.3" },
  "config-vector": { offset: 16, size: 2, access: "rw", reset: 0xffff, section: "[VIRTIO 1.2] 4.1.5.1.2" },
  "queue-count": { offset: 18, size: 2, access: "ro", section: "[VIRTIO 1.2] 4.1.4.3" },
  "device-status": { offset: 20, size: 1, access: "rw", section: "[VIRTIO 1.2] 2.1" },
  "config-generation": { offset: 21, size: 1, access: "ro", section: "[VIRTIO 1.2] 2.5.1" },
  "queue-select": { offset: 22, size: 2, access: "rw", section: "[VIRTIO 1.2] 4.1.4.3" },
  "queue-size": { offset: 24, size: 2, access: "rw", section: "[VIRTIO 1.2] 4.1.5.1.3" },
  "queue-vector": { offset: 26, size: 2, access: "rw", reset: 0xffff, section: "[VIRTIO 1.2] 4.1.5.1.2" },
  "queue-enable": { offset: 28, size: 2, access: "rw", section: "[VIRTIO 1.2] 4.1.5.1.3" },
  "queue-notify-offset": { offset: 30, size: 2, access: "ro", section: "[VIRTIO 1.2] 4.1.4.4" },
  "queue-descriptors-low": { offset: 32, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.5.1.3" },
  "queue-descriptors-high": { offset: 36, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.5.1.3" },
  "queue-driver-low": { offset: 40, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.5.1.3" },
  "queue-driver-high": { offset: 44, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.5.1.3" },
  "queue-device-low": { offset: 48, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.5.1.3" },
  "queue-device-high": { offset: 52, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.5.1.3" },
  "queue-notify-data": { offset: 56, size: 2, access: "ro", section: "[VIRTIO 1.2] 4.1.4.4.2" },
  "queue-reset": { offset: 58, size: 2, access: "rw", section: "[VIRTIO 1.2] 2.6.1" },
});

/** The registers of the legacy interface, in I/O space. The vectors are there while MSI-X is enabled only. */
export const LEGACY = registerTable({
  "device-features": { offset: 0, size: 4, access: "ro", section: "[VIRTIO 1.2] 4.1.4.10" },
  "driver-features": { offset: 4, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.4.10" },
  "queue-page": { offset: 8, size: 4, access: "rw", section: "[VIRTIO 1.2] 4.1.5.1.3.1" },
  "queue-size": { offset: 12, size: 2, access: "ro", section: "[VIRTIO 1.2] 4.1.5.1.3.1" },
  "queue-select": { offset: 14, size: 2, access: "rw", section: "[VIRTIO 1.2] 4.1.5.1.3.1" },
  "queue-notify": { offset: 16, size: 2, access: "wo", section: "[VIRTIO 1.2] 4.1.4.10" },
  "device-status": { offset: 18, size: 1, access: "rw", section: "[VIRTIO 1.2] 2.1" },
  "isr": { offset: 19, size: 1, access: "ro", section: "[VIRTIO 1.2] 4.1.4.10" },
  "config-vector": { offset: 20, size: 2, access: "rw", reset: 0xffff, section: "[VIRTIO 1.2] 4.1.4.10" },
  "queue-vector": { offset: 22, size: 2, access: "rw", reset: 0xffff, section: "[VIRTIO 1.2] 4.1.4.10" },
});

/** Where the device's configuration begins behind the legacy registers, without and with the vectors. */
export const LEGACY_CONFIG = { withoutVectors: 20, withVectors: 24 } as const;

/** Kinds of capability: [VIRTIO 1.2] 4.1.4. */
export const CapabilityType = { Common: 1, Notify: 2, Isr: 3, Device: 4, Pci: 5 } as const;

/** The name of the register that begins at `offset`, which is the only way to get at it. */
export function registerAt<Name extends string>(
  table: { readonly byOffset: readonly (Name | undefined)[]; readonly rows: ReadonlyMap<Name, { offset: number }> },
  offset: number,
): Name | undefined {
  const name = table.byOffset[offset];
  return name !== undefined && table.rows.get(name)!.offset === offset ? name : undefined;
}
