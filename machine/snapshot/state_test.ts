/**
 * A machine's state through memory: which pages are kept and where they come back, what a wrong state is refused for,
 * what is in flight when a request fails.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { IoVector } from "../../base/io_vector.ts";
import { MiB } from "../../base/units.ts";
import { MachineError } from "../errors.ts";
import { testPc } from "../testing.ts";
import { Header, Kind, PAGE_BYTES, PAGE_MAP_BYTES, putSectionHead, SectionHeader } from "./format.ts";
import type { StateSource } from "./input.ts";
import { checkMachineState, loadRam } from "./reader.ts";
import { writeMachineState } from "./writer.ts";

const RAM_BYTES = 16 * MiB;

/** What is written lies in memory; requests end later, in any order. */
class Store implements StateSource {
  bytes = new Uint8Array(64 * MiB);
  sizeBytes = 0;
  inFlight = 0;
  lengths: number[] = [];
  failing = Infinity;

  async write(at: number, from: IoVector): Promise<void> {
    await this.#request(this.lengths.push(from.length));
    from.copyTo(this.bytes, at);
    this.sizeBytes = Math.max(this.sizeBytes, at + from.length);
  }

  async read(at: number, into: IoVector): Promise<void> {
    assert(at + into.length <= this.sizeBytes, "beyond the end");
    await this.#request(this.lengths.push(into.length));
    into.copyFrom(this.bytes.subarray(at, at + into.length));
  }

  async #request(number: number): Promise<void> {
    this.inFlight++;
    await new Promise((resolve) => setTimeout(resolve, number % 3));
    this.inFlight--;
    if (number >= this.failing) throw new Error(`request ${number} fails`);
  }
}

/** Pages by a rule of each MiB: every one, every other one, the last, a few in rows, none. */
function hasContent(page: number): boolean {
  const inRegion = page % 256;
  return [true, inRegion % 2 === 1, inRegion === 255, inRegion % 37 < 9, false][Math.floor(page / 256) % 5]!;
}

function patternedRam(): Uint8Array {
  const ram = new Uint8Array(RAM_BYTES);
  for (let page = 0; page < RAM_BYTES / PAGE_BYTES; page++) {
    // One byte will do, anywhere in the page.
    if (hasContent(page)) ram[page * PAGE_BYTES + page * 7 % PAGE_BYTES] = 1 + page % 255;
  }
  return ram;
}

Deno.test("pages that are not all zero are kept and come back, all others are cleared", async () => {
  await using pc = await testPc({ ramBytes: RAM_BYTES });
  const { machine } = pc;
  const ram = patternedRam();
  machine.ram.write(0, ram);
  const store = new Store();
  const sizeBytes = await writeMachineState(machine, store);
  assertEquals([store.sizeBytes, store.inFlight], [sizeBytes, 0]);
  // All but the last are whole clusters of any size.
  assertEquals(store.lengths.slice(0, -1).filter((length) => length !== 2 * MiB), []);
  const pages = Array.from({ length: RAM_BYTES / PAGE_BYTES }, (_, page) => page).filter(hasContent).length;
  assert(sizeBytes > pages * PAGE_BYTES && sizeBytes < pages * PAGE_BYTES + MiB, `${sizeBytes} bytes`);
  machine.ram.slice(0, RAM_BYTES).fill(0xee);
  const checked = await checkMachineState(machine, store, "a");
  await loadRam(machine, store, checked.ram);
  assert(machine.ram.slice(0, RAM_BYTES).every((byte, at) => byte === ram[at]));
});

Deno.test("a request that fails ends the whole, and none is in flight afterwards", async () => {
  await using pc = await testPc({ ramBytes: RAM_BYTES });
  const { machine } = pc;
  machine.ram.slice(0, RAM_BYTES).fill(1);
  const store = new Store();
  store.failing = 3;
  await assertRejects(() => writeMachineState(machine, store), Error, "request 3 fails");
  assertEquals([store.inFlight, store.lengths.length <= 5], [0, true]);
  store.failing = Infinity;
  await writeMachineState(machine, store);
  store.failing = store.lengths.length + 3;
  await assertRejects(() => checkMachineState(machine, store, "a"), Error, "fails");
  assertEquals(store.inFlight, 0);
});

/** The offset of each section's head by kind. */
function sectionsOf(store: Store): { kind: number; at: number; lengthBytes: number }[] {
  const found: { kind: number; at: number; lengthBytes: number }[] = [];
  for (let at = Header.sizeBytes; at < store.sizeBytes;) {
    const { kind, lengthBytes } = SectionHeader.decode(store.bytes, at);
    found.push({ kind, at, lengthBytes });
    at += SectionHeader.sizeBytes + lengthBytes;
  }
  return found;
}

Deno.test("a map of pages that does not fit its section, or addresses that do not, are refused though all sums are right", async () => {
  await using pc = await testPc({ ramBytes: RAM_BYTES });
  const { machine } = pc;
  machine.ram.write(3 * MiB, new Uint8Array(PAGE_BYTES).fill(5));
  machine.ram.write(5 * MiB, new Uint8Array(PAGE_BYTES).fill(6));
  const store = new Store();
  await writeMachineState(machine, store);
  const [first] = sectionsOf(store).filter(({ kind }) => kind === Kind.ram).slice(-2);
  const { at, lengthBytes } = first!;
  assertEquals(lengthBytes, PAGE_MAP_BYTES + PAGE_BYTES);
  const head = store.bytes.subarray(at, at + SectionHeader.sizeBytes);
  const payload = store.bytes.subarray(at + SectionHeader.sizeBytes, at + SectionHeader.sizeBytes + lengthBytes);
  const refused = async (address: number, map: readonly number[]) => {
    payload.set(map);
    putSectionHead(head, Kind.ram, address, payload);
    await assertRejects(() => checkMachineState(machine, store, "a"), Error, "its RAM does not fit");
  };
  await refused(3 * MiB, [3]);
  await refused(3 * MiB, [0]);
  for (const address of [3 * MiB + PAGE_BYTES, 5 * MiB, RAM_BYTES, 2 ** 40]) await refused(address, [1]);
  putSectionHead(head, Kind.ram, 3 * MiB, payload);
  await checkMachineState(machine, store, "a");
});

Deno.test("a CPU's state that its accelerator refuses is refused before anything has changed", async () => {
  await using pc = await testPc({ ramBytes: RAM_BYTES });
  const { machine } = pc;
  const store = new Store();
  machine.accelerator.save = () => new Uint8Array(7);
  await writeMachineState(machine, store);
  const text = "it is of a machine with a CPU: 7 bytes of it";
  await assertRejects(() => checkMachineState(machine, store, "a"), MachineError, text);
});

Deno.test("what a device cannot take up is refused before anything has changed", async () => {
  await using pc = await testPc();
  const { machine } = pc;
  const host = machine.devices.find(({ type }) => type.name === "i440FX")!;
  const sound = host.save();
  const { base } = sound as { base: { config: Uint8Array } };
  const other = base.config.slice();
  other[2]! ^= 1;
  for (
    const [saved, problem] of [
      [{ ...sound, base: { ...base, config: other } }, "i440FX: the state is that of another PCI device"],
      [{ ...sound, version: 2 }, "i440FX: state of version 2, known is 1"],
      [{ ...sound, version: 0.5, base: {} }, "i440FX: state of version 0.5, known is 1"],
      [{ version: 1 }, "i440FX: base is missing"],
    ] as const
  ) assertEquals(host.refusal(saved), problem);
  assertEquals(host.refusal(sound), undefined);
});
