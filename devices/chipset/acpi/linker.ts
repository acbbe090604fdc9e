/**
 * The script by which firmware puts tables into memory: where each file goes, which fields are addresses, where
 * checksums are.
 *
 * Source: QEMU's docs/specs/fw_cfg.rst for the file; the layout of its commands as SeaBIOS reads `etc/table-loader`.
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";

const COMMAND_BYTES = 128;
const FILE_NAME_BYTES = 56;
const Command = { Allocate: 1, AddPointer: 2, AddChecksum: 3 } as const;

/** Where firmware puts a file. */
export const LoaderZone = { High: 1, FirmwareSegment: 2 } as const;

/** Commands in order. */
export class LoaderScript {
  readonly #commands: Uint8Array[] = [];

  /** Loads a file at a multiple of `alignment` bytes. */
  allocate(file: string, alignment: number, zone: typeof LoaderZone[keyof typeof LoaderZone]): void {
    this.#add(Command.Allocate, (view, names) => {
      names(4, file);
      view.setUint32(60, alignment, true);
      view.setUint8(64, zone);
    });
  }

  /** Adds the address of `source` to the number of `bytes` bytes at `offset` of `file`. */
  addPointer(file: string, offset: number, bytes: 4 | 8, source: string): void {
    this.#add(Command.AddPointer, (view, names) => {
      names(4, file);
      names(60, source);
      view.setUint32(116, offset, true);
      view.setUint8(120, bytes);
    });
  }

  /** Makes the bytes from `start` on sum up to zero, by the byte at `offset`. */
  addChecksum(file: string, offset: number, start: number, lengthBytes: number): void {
    this.#add(Command.AddChecksum, (view, names) => {
      names(4, file);
      view.setUint32(60, offset, true);
      view.setUint32(64, start, true);
      view.setUint32(68, lengthBytes, true);
    });
  }

  /** All commands, filled up with zeroes to `sizeBytes`. */
  toBytes(sizeBytes: number): Uint8Array {
    const bytes = new Uint8Array(sizeBytes);
    for (const [index, command] of this.#commands.entries()) bytes.set(command, index * COMMAND_BYTES);
    return bytes;
  }

  #add(command: number, fill: (view: DataView, names: (at: number, file: string) => void) => void): void {
    const bytes = new Uint8Array(COMMAND_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, command, true);
    fill(view, (at, file) => {
      assert(file.length < FILE_NAME_BYTES, `the name of ${file} is too long`);
      bytes.set(new TextEncoder().encode(file), at);
    });
    this.#commands.push(bytes);
  }
}
