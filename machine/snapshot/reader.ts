/**
 * Reads a machine's state back: first all of it, to check it, then RAM once more, into its place. What is refused is
 * refused in the first pass, before anything has changed.
 *
 * @module
 */
import { IoVector, isZero } from "../../base/io_vector.ts";
import { nextTurn } from "../../base/turn.ts";
import type { Device, SavedDevice } from "../../devices/bus/mod.ts";
import { MachineError } from "../errors.ts";
import type { Machine } from "../machine.ts";
import {
  FORMAT_VERSION,
  Header,
  Kind,
  MAGIC,
  PAGE_BYTES,
  PAGE_MAP_BYTES,
  QEMU_MAGIC,
  REGION_BYTES,
  SectionHeader,
  sectionProblem,
  TURN_BYTES,
} from "./format.ts";
import { StateInput, type StateSource } from "./input.ts";
import { decodeState } from "./state_text.ts";

/** Where the pages of a region lie. */
interface SavedRegion {
  /** In RAM. */
  readonly address: number;
  /** In the state. */
  readonly at: number;
  readonly map: Uint8Array;
}

/** A state that was checked: what the second pass needs. */
export interface CheckedState {
  readonly virtualNs: number;
  readonly devices: readonly { readonly device: Device; readonly saved: SavedDevice }[];
  readonly cpu: Uint8Array;
  /** By ascending address. */
  readonly ram: readonly SavedRegion[];
}

/**
 * Checks all of a state against `machine`.
 *
 * @param tag the snapshot's name, for messages
 * @throws {MachineError} saying what does not fit; nothing has changed
 */
export async function checkMachineState(machine: Machine, source: StateSource, tag: string): Promise<CheckedState> {
  const input = new StateInput(source);
  try {
    return await checkAll(machine, input, tag);
  } finally {
    await input.end();
  }
}

async function checkAll(machine: Machine, input: StateInput, tag: string): Promise<CheckedState> {
  await checkHeader(input, tag);
  let about: { virtualNs: number } | undefined;
  let cpu: Uint8Array | undefined;
  const found = new Map<Device, SavedDevice>();
  const ram: SavedRegion[] = [];
  for await (const { kind, address, at, payload } of sections(input, tag)) {
    if (kind === Kind.machine) about = checkMachine(machine, decode(payload, tag), tag);
    else if (kind === Kind.device) {
      const { device, saved } = checkDevice(machine, decode(payload, tag), tag);
      found.set(device, saved);
    } else if (kind === Kind.cpu) cpu = payload.slice();
    else if (kind === Kind.ram) ram.push(checkRegion(machine, { kind, address, at, payload }, ram.at(-1), tag));
    else if (kind !== Kind.end) throw refusal(tag, `an unknown section of kind ${kind}`);
  }
  if (about === undefined || cpu === undefined) throw refusal(tag, "sections are missing");
  const problem = machine.accelerator.refusal(cpu);
  if (problem !== undefined) throw refusal(tag, problem);
  for (const device of machine.devices) {
    if (!found.has(device)) throw refusal(tag, `it has no state for ${device.type.name} at ${device.path}`);
  }
  return { virtualNs: about.virtualNs, devices: [...found].map(([device, saved]) => ({ device, saved })), cpu, ram };
}

/** Takes up a state that was checked. */
export async function takeUpState(machine: Machine, source: StateSource, checked: CheckedState): Promise<void> {
  await machine.resetForLoad();
  machine.accelerator.clock?.restore(checked.virtualNs);
  await loadRam(machine, source, checked.ram);
  for (const { device, saved } of checked.devices) device.load(saved);
  machine.accelerator.load(checked.cpu);
}

/** Takes up RAM: pages go from the source to where they belong. */
export async function loadRam(machine: Machine, source: StateSource, saved: readonly SavedRegion[]): Promise<void> {
  const { ram } = machine;
  const regions = saved.values();
  let next = regions.next().value;
  for (let address = 0; address < ram.sizeBytes; address += REGION_BYTES) {
    if (address % TURN_BYTES === 0) await nextTurn();
    // The view is taken anew for each region: meanwhile the accelerator may move its memory.
    const bytes = ram.slice(address, Math.min(REGION_BYTES, ram.sizeBytes - address));
    if (next?.address !== address) {
      if (!clear(bytes)) continue;
    } else {
      await source.read(next.at, IoVector.from(savedPages(bytes, next.map)));
      next = regions.next().value;
    }
    ram.changed(address, bytes.length);
  }
}

/** Runs of pages in `region` that `map` has; the others are cleared. */
function savedPages(region: Uint8Array, map: Uint8Array): Uint8Array[] {
  const runs: Uint8Array[] = [];
  let runStart = -1;
  for (let at = 0; at < region.length; at += PAGE_BYTES) {
    if (hasPage(map, at / PAGE_BYTES)) {
      if (runStart < 0) runStart = at;
      continue;
    }
    if (runStart >= 0) runs.push(region.subarray(runStart, at));
    runStart = -1;
    clear(region.subarray(at, at + PAGE_BYTES));
  }
  if (runStart >= 0) runs.push(region.subarray(runStart));
  return runs;
}

function hasPage(map: Uint8Array, page: number): boolean {
  return (map[page >>> 3]! >>> (page & 7) & 1) !== 0;
}

/** Zeroes `bytes`, leaving alone what is zero: memory that nobody touched stays unallocated. False where nothing changed. */
function clear(bytes: Uint8Array): boolean {
  if (isZero(bytes)) return false;
  bytes.fill(0);
  return true;
}

async function checkHeader(input: StateInput, tag: string): Promise<void> {
  if (input.leftBytes < Header.sizeBytes) throw refusal(tag, "it is too short");
  const { magic, version } = Header.decode(await input.take(Header.sizeBytes));
  if (magic === QEMU_MAGIC) {
    throw new MachineError(`Snapshot '${tag}' holds a VM state of QEMU's own, which only QEMU can load`);
  }
  if (magic !== MAGIC) throw new MachineError(`Snapshot '${tag}' holds no VM state of moa's`);
  if (version !== FORMAT_VERSION) throw refusal(tag, `it has version ${version}, known is ${FORMAT_VERSION}`);
}

/** A section as it is read. */
interface Section {
  readonly kind: number;
  readonly address: number;
  /** Where its payload lies. */
  readonly at: number;
  /** A view until the next section is asked for. */
  readonly payload: Uint8Array;
}

/** All sections in order, checked by their sums. */
async function* sections(input: StateInput, tag: string): AsyncIterableIterator<Section> {
  while (true) {
    if (input.leftBytes < SectionHeader.sizeBytes) throw refusal(tag, "it ends too early");
    const head = (await input.take(SectionHeader.sizeBytes)).slice();
    const problem = sectionProblem(head);
    if (problem !== undefined) throw refusal(tag, problem);
    const { kind, lengthBytes, address } = SectionHeader.decode(head);
    if (input.leftBytes < lengthBytes) throw refusal(tag, "it ends too early");
    const at = input.position;
    const payload = await input.take(lengthBytes);
    const damage = sectionProblem(head, payload);
    if (damage !== undefined) throw refusal(tag, damage);
    yield { kind, address, at, payload };
    if (kind === Kind.end) return;
  }
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
  if (typeof virtualNs !== "number" || !(virtualNs >= 0 && virtualNs <= Number.MAX_SAFE_INTEGER)) {
    throw refusal(tag, "it has no time");
  }
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

function checkRegion(machine: Machine, section: Section, before: SavedRegion | undefined, tag: string): SavedRegion {
  const { address, at, payload } = section;
  const map = payload.slice(0, PAGE_MAP_BYTES);
  const follows = before === undefined || address > before.address;
  const regionBytes = Math.min(REGION_BYTES, machine.ramBytes - address);
  const fits = follows && address % REGION_BYTES === 0 && regionBytes > 0 &&
    payload.length === PAGE_MAP_BYTES + pagesBytes(map, regionBytes);
  if (!fits) throw refusal(tag, "its RAM does not fit");
  return { address, at: at + PAGE_MAP_BYTES, map };
}

/** How long the pages that `map` has are together; NaN where there is one behind the end of the region. */
function pagesBytes(map: Uint8Array, regionBytes: number): number {
  let sum = 0;
  for (let page = 0; page < 8 * map.length; page++) {
    if (!hasPage(map, page)) continue;
    const leftBytes = regionBytes - page * PAGE_BYTES;
    sum += leftBytes > 0 ? Math.min(PAGE_BYTES, leftBytes) : NaN;
  }
  return sum;
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
