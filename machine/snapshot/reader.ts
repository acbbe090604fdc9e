/**
 * Reads a machine's state back: twice, first to check all of it, then to take it up. What is refused is refused in the
 * first pass, before anything has changed.
 *
 * @module
 */
import { IoVector, isZero } from "../../base/io_vector.ts";
import type { Device, SavedDevice } from "../../devices/bus/mod.ts";
import { MachineError } from "../errors.ts";
import type { Machine } from "../machine.ts";
import {
  FORMAT_VERSION,
  Header,
  Kind,
  MAGIC,
  PAGE_BYTES,
  QEMU_MAGIC,
  RAM_CHUNK_BYTES,
  type Section,
  SectionHeader,
  sectionProblem,
} from "./format.ts";
import { decodeState } from "./state_text.ts";

/** Where a state comes from; offsets count from its beginning. */
export interface StateSource {
  readonly sizeBytes: number;
  read(at: number, into: IoVector): Promise<void>;
}

/** A state that was checked: what the second pass needs. */
export interface CheckedState {
  readonly virtualNs: number;
  readonly devices: readonly { readonly device: Device; readonly saved: SavedDevice }[];
  readonly cpu: Uint8Array;
}

/**
 * Checks all of a state against `machine`.
 *
 * @param tag the snapshot's name, for messages
 * @throws {MachineError} saying what does not fit; nothing has changed
 */
export async function checkMachineState(machine: Machine, source: StateSource, tag: string): Promise<CheckedState> {
  await checkHeader(source, tag);
  let about: { virtualNs: number } | undefined;
  let cpu: Uint8Array | undefined;
  const found = new Map<Device, SavedDevice>();
  let ramEnd = 0;
  for await (const { kind, address, payload } of sections(source, tag)) {
    if (kind === Kind.machine) about = checkMachine(machine, decode(payload, tag), tag);
    else if (kind === Kind.device) {
      const { device, saved } = checkDevice(machine, decode(payload, tag), tag);
      found.set(device, saved);
    } else if (kind === Kind.cpu) cpu = payload;
    else if (kind === Kind.ram) ramEnd = checkRam(machine, address, payload, ramEnd, tag);
    else if (kind !== Kind.end) throw refusal(tag, `an unknown section of kind ${kind}`);
  }
  if (about === undefined || cpu === undefined) throw refusal(tag, "sections are missing");
  for (const device of machine.devices) {
    if (!found.has(device)) throw refusal(tag, `it has no state for ${device.type.name} at ${device.path}`);
  }
  return { virtualNs: about.virtualNs, devices: [...found].map(([device, saved]) => ({ device, saved })), cpu };
}

/** Takes up RAM from a state that was checked. */
export async function loadRam(machine: Machine, source: StateSource, tag: string): Promise<void> {
  let position = 0;
  for await (const { kind, address, payload } of sections(source, tag, Kind.ram)) {
    if (kind !== Kind.ram) continue;
    clear(machine, position, address);
    machine.ram.write(address, payload);
    machine.ram.changed(address, payload.length);
    position = address + payload.length;
  }
  clear(machine, position, machine.ramBytes);
}

/** Zeroes RAM from `from` to `to`, leaving alone what is zero: memory that nobody touched stays unallocated. */
function clear(machine: Machine, from: number, to: number): void {
  for (let at = from; at < to; at += RAM_CHUNK_BYTES) {
    const bytes = machine.ram.slice(at, Math.min(RAM_CHUNK_BYTES, to - at));
    if (isZero(bytes)) continue;
    bytes.fill(0);
    machine.ram.changed(at, bytes.length);
  }
}

async function checkHeader(source: StateSource, tag: string): Promise<void> {
  if (source.sizeBytes < Header.sizeBytes) throw refusal(tag, "it is too short");
  const { magic, version } = Header.decode(await readBytes(source, 0, Header.sizeBytes));
  if (magic === QEMU_MAGIC) {
    throw new MachineError(`Snapshot '${tag}' holds a VM state of QEMU's own, which only QEMU can load`);
  }
  if (magic !== MAGIC) throw new MachineError(`Snapshot '${tag}' holds no VM state of moa's`);
  if (version !== FORMAT_VERSION) throw refusal(tag, `it has version ${version}, known is ${FORMAT_VERSION}`);
}

/** All sections in order, checked by their sums; those of other kinds than `wanted` come without payload. */
async function* sections(source: StateSource, tag: string, wanted?: number): AsyncIterableIterator<Section> {
  let at: number = Header.sizeBytes;
  while (true) {
    if (at + SectionHeader.sizeBytes > source.sizeBytes) throw refusal(tag, "it ends too early");
    const head = await readBytes(source, at, SectionHeader.sizeBytes);
    const problem = sectionProblem(head);
    if (problem !== undefined) throw refusal(tag, problem);
    const { kind, lengthBytes, address } = SectionHeader.decode(head);
    at += SectionHeader.sizeBytes;
    if (at + lengthBytes > source.sizeBytes) throw refusal(tag, "it ends too early");
    const skip = wanted !== undefined && kind !== wanted;
    const payload = skip ? new Uint8Array(0) : await readBytes(source, at, lengthBytes);
    const damage = skip ? undefined : sectionProblem(head, payload);
    if (damage !== undefined) throw refusal(tag, damage);
    yield { kind, address, payload };
    if (kind === Kind.end) return;
    at += lengthBytes;
  }
}

async function readBytes(source: StateSource, at: number, lengthBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(lengthBytes);
  if (lengthBytes > 0) await source.read(at, IoVector.of(bytes));
  return bytes;
}

function decode(payload: Uint8Array, tag: string): unknown {
  try {
    return decodeState(payload);
  } catch (error) {
    throw refusal(tag, `a section cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

function checkMachine(machine: Machine, value: unknown, tag: string): { virtualNs: number } {
  if (!isObject(value)) throw refusal(tag, "what it says of the machine cannot be read");
  const { board, ramBytes, virtualNs, accelerator } = value;
  if (board !== machine.board.name) throw refusal(tag, `it is of machine '${board}', this is '${machine.board.name}'`);
  if (ramBytes !== machine.ramBytes) {
    throw refusal(tag, `it has ${ramBytes} bytes of RAM, this machine has ${machine.ramBytes}`);
  }
  if (accelerator !== machine.accelerator.name) {
    throw refusal(tag, `it was made with accelerator '${accelerator}', this is '${machine.accelerator.name}'`);
  }
  if (typeof virtualNs !== "number" || !(virtualNs >= 0)) throw refusal(tag, "it has no time");
  return { virtualNs };
}

function checkDevice(machine: Machine, value: unknown, tag: string): { device: Device; saved: SavedDevice } {
  if (!isObject(value) || typeof value.path !== "string" || !isSaved(value.saved)) {
    throw refusal(tag, "a device's state cannot be read");
  }
  const device = machine.findDevice(value.path);
  if (device === undefined || device.type.name !== value.type) {
    throw refusal(tag, `it has a ${value.type} at ${value.path}, this machine has none`);
  }
  const problem = device.refusal(value.saved);
  if (problem !== undefined) throw refusal(tag, problem);
  return { device, saved: value.saved };
}

function checkRam(machine: Machine, address: number, payload: Uint8Array, ramEnd: number, tag: string): number {
  const end = address + payload.length;
  if (address < ramEnd || address % PAGE_BYTES !== 0 || end > machine.ramBytes) {
    throw refusal(tag, "its RAM does not fit");
  }
  return end;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSaved(value: unknown): value is SavedDevice {
  return isObject(value) && typeof value.version === "number" &&
    (value.base === undefined || isObject(value.base)) && (value.state === undefined || isObject(value.state));
}

function refusal(tag: string, reason: string): MachineError {
  return new MachineError(`Snapshot '${tag}' cannot be loaded: ${reason}`);
}
