/**
 * Reads the firmware configuration device as a guest does, by its DMA interface: here or in the real QEMU.
 *
 * Source: QEMU's docs/specs/fw_cfg.rst, "Guest-side DMA Interface".
 *
 * @module
 */
import type { GuestBus } from "../../machine/guest/bus.ts";

const DMA_LOW_PORT = 0x518;
const REQUEST_AT = 0x2000;
const CONTENT_AT = 0x3000;
const READ = 0x02;
const SELECT = 0x08;
const DIRECTORY_KEY = 0x19;
const ENTRY_BYTES = 64;

/** A file as the directory has it. */
export interface FirmwareFile {
  readonly name: string;
  readonly key: number;
  readonly lengthBytes: number;
}

/** What the guest reads under `key`; memory from 2000h on is used for it. */
export async function firmwareItem(bus: GuestBus, key: number, lengthBytes: number): Promise<Uint8Array> {
  const request = new DataView(new ArrayBuffer(16));
  request.setUint32(0, key << 16 | SELECT | READ);
  request.setUint32(4, lengthBytes);
  request.setBigUint64(8, BigInt(CONTENT_AT));
  await bus.writeMemory(REQUEST_AT, new Uint8Array(request.buffer));
  const bigEndian = new DataView(new ArrayBuffer(4));
  bigEndian.setUint32(0, REQUEST_AT);
  await bus.out32(DMA_LOW_PORT, bigEndian.getUint32(0, true));
  return await bus.readMemory(CONTENT_AT, lengthBytes);
}

/** All files, in their order. */
export async function firmwareDirectory(bus: GuestBus): Promise<FirmwareFile[]> {
  const count = new DataView((await firmwareItem(bus, DIRECTORY_KEY, 4)).slice().buffer).getUint32(0);
  const bytes = (await firmwareItem(bus, DIRECTORY_KEY, 4 + ENTRY_BYTES * count)).slice();
  return Array.from({ length: count }, (_, index) => {
    const at = 4 + ENTRY_BYTES * index;
    const entry = new DataView(bytes.buffer, at, ENTRY_BYTES);
    const name = new TextDecoder().decode(bytes.subarray(at + 8, at + ENTRY_BYTES)).replace(/\0+$/, "");
    return { name, key: entry.getUint16(4), lengthBytes: entry.getUint32(0) };
  });
}

/** The content of the file `name`. @throws where there is none */
export async function firmwareFile(bus: GuestBus, name: string): Promise<Uint8Array> {
  const file = (await firmwareDirectory(bus)).find((candidate) => candidate.name === name);
  if (file === undefined) throw new Error(`there is no ${name}`);
  return await firmwareItem(bus, file.key, file.lengthBytes);
}
