/**
 * Devices and drives as a script sees them: registers by name, state, properties, requests.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import type { BackendRequest, BlockBackend } from "../../block/mod.ts";
import { type Device, type DeviceRequest, PciDevice, type SavedDevice } from "../../devices/bus/mod.ts";
import { IdeCdDrive, IdeHardDisk } from "../../devices/ide/mod.ts";
import type { Machine } from "../../machine/mod.ts";
import { type BlockInfo, describeDrive } from "../commands/block.ts";

/** Which requests are meant: all fields that are given agree, or a function says so. */
export type RequestFilter =
  | ((request: DeviceRequest) => boolean)
  | { readonly device?: string; readonly path?: string; readonly command?: string | RegExp; readonly result?: string };

/** Whether `request` is meant. */
export function matchesRequest(filter: RequestFilter, request: DeviceRequest): boolean {
  if (typeof filter === "function") return filter(request);
  const { device, path, command, result } = filter;
  return (device === undefined || device === request.device) && (path === undefined || path === request.path) &&
    (result === undefined || result === request.result) &&
    (command === undefined ||
      (typeof command === "string" ? command === request.command : command.test(request.command)));
}

/** A device. */
export class VmDevice {
  /** The device itself, for those who know its class. */
  readonly device: Device;
  readonly #machine: Machine;

  constructor(machine: Machine, device: Device) {
    this.#machine = machine;
    this.device = device;
  }

  /** `"ide-hd"`. */
  get type(): string {
    return this.device.type.name;
  }

  /** In the object tree: `/machine/unattached/device[18]`. */
  get path(): string {
    return this.device.path;
  }

  get id(): string | undefined {
    return this.device.id;
  }

  /** Values by name, as they have settled. */
  get properties(): Readonly<Record<string, unknown>> {
    return this.device.properties;
  }

  /** Values by the names of the specification; empty for a device that shows none. */
  get registers(): Readonly<Record<string, number>> {
    const { device } = this;
    if (device instanceof PciDevice) {
      return Object.fromEntries(device.config.registers.map(({ name }) => [name, device.config.get(name)]));
    }
    if (device instanceof IdeHardDisk || device instanceof IdeCdDrive) return { ...device.drive.file };
    return {};
  }

  /** All that a snapshot keeps of it, as a plain object. */
  get state(): SavedDevice {
    return this.device.save();
  }

  /** Those of the machine's last requests that are its own, the oldest first. */
  get requests(): readonly DeviceRequest[] {
    return this.#machine.requests.list().filter(({ path }) => path === this.path);
  }

  /** Calls `handler` at each of its requests; the returned function ends that. */
  on(event: "request", handler: (request: DeviceRequest) => void): () => void {
    return this.#machine.events.on(event, (request) => {
      if (request.path === this.path) handler(request);
    });
  }
}

/** A drive: its medium from the host's side. */
export class VmBackend {
  /** The drive itself. */
  readonly backend: BlockBackend;

  constructor(backend: BlockBackend) {
    this.backend = backend;
  }

  get name(): string {
    return this.backend.name;
  }

  get sizeBytes(): number {
    return this.backend.sizeBytes;
  }

  /** What `info block -v` shows. */
  info(): Promise<BlockInfo> {
    return describeDrive(this.backend, true);
  }

  /** Reads the medium past the guest; not counted in the drive's statistics. */
  async read(at: number, lengthBytes: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(lengthBytes);
    await this.backend.read(at, IoVector.of(bytes), { account: false });
    return bytes;
  }

  /** Writes the medium past the guest; not counted in the drive's statistics. */
  async write(at: number, bytes: Uint8Array): Promise<void> {
    await this.backend.write(at, IoVector.of(bytes), { account: false });
  }

  /** Calls `handler` at each request to the medium; the returned function ends that. */
  on(event: "request", handler: (request: BackendRequest) => void): () => void {
    return this.backend.events.on(event, handler);
  }
}
