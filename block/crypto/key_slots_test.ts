/** Power failures while key slots change: whatever was written last, a passphrase that should open the volume does. */
import { assertEquals, assertRejects } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { SeededRandom } from "../../base/random.ts";
import { BlockError } from "../errors.ts";
import { type HeaderFile, LuksVolume, planLuks } from "./mod.ts";

interface Written {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A volume's header in memory, which remembers what was written in which order. */
class RecordedFile implements HeaderFile {
  readonly bytes: Uint8Array;
  readonly log: (Written | "flush")[] = [];

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  async read(at: number, lengthBytes: number): Promise<Uint8Array> {
    return this.bytes.slice(at, at + lengthBytes);
  }

  async write(at: number, bytes: Uint8Array): Promise<void> {
    this.bytes.set(bytes, at);
    this.log.push({ at, bytes: bytes.slice() });
  }

  async flush(): Promise<void> {
    this.log.push("flush");
  }
}

/** Every state that power loss may leave: of the writes since a flush, any one alone, or the first of them. */
function* crashStates(before: Uint8Array, log: readonly (Written | "flush")[]): Generator<Uint8Array> {
  let durable = before.slice();
  let pending: Written[] = [];
  const withWrites = (writes: readonly Written[]) => {
    const state = durable.slice();
    for (const { at, bytes } of writes) state.set(bytes, at);
    return state;
  };
  yield durable;
  for (const step of log) {
    if (step === "flush") {
      durable = withWrites(pending);
      pending = [];
    } else {
      pending.push(step);
      yield withWrites([step]);
      yield withWrites([{ at: step.at, bytes: step.bytes.subarray(0, step.bytes.length >> 1) }]);
    }
    yield withWrites(pending);
  }
}

const PASSPHRASES: Readonly<Record<string, string>> = { s: "abc", t: "def", u: "ghi" };
const secrets = { secret: (id: string) => new TextEncoder().encode(PASSPHRASES[id]) };
const tools = { random: new SeededRandom(1), clock: new ManualClock(), secrets };

const opens = (bytes: Uint8Array, id: string) =>
  LuksVolume.open(new RecordedFile(bytes.slice()), secrets.secret(id)).then(() => true, (error) => {
    if (error instanceof BlockError) return false;
    throw error;
  });

async function volume(): Promise<{ file: RecordedFile; open: LuksVolume }> {
  const plan = planLuks({ cipherAlg: "aes-128", iterTimeMs: 1 });
  const file = new RecordedFile(new Uint8Array(plan.headerBytes));
  const open = await LuksVolume.create(file, plan, secrets.secret("s"), tools);
  return { file, open };
}

Deno.test("making a volume: until it is whole it is none", async () => {
  const { file } = await volume();
  let whole = 0;
  let states = 0;
  for (const state of crashStates(new Uint8Array(file.bytes.length), file.log)) {
    states++;
    if (await opens(state, "s")) whole++;
    else await assertRejects(() => LuksVolume.open(new RecordedFile(state), undefined), BlockError);
  }
  assertEquals(states > whole && whole > 0, true);
});

Deno.test("adding and erasing passphrases: the other one always opens", async () => {
  const { file, open } = await volume();
  const change = async (what: Parameters<LuksVolume["changeKeySlots"]>[0], safe: string) => {
    const before = file.bytes.slice();
    file.log.length = 0;
    await open.changeKeySlots(what, tools);
    for (const state of crashStates(before, file.log)) assertEquals(await opens(state, safe), true);
  };
  await change({ state: "active", newSecret: "t", iterTimeMs: 1 }, "s");
  assertEquals(await opens(file.bytes, "t"), true);
  const { materialSector } = open.header.slots[0]!;
  const material = file.bytes.slice(materialSector * 512, materialSector * 512 + 64_000);
  await change({ state: "inactive", oldSecret: "s" }, "t");
  assertEquals(await opens(file.bytes, "s"), false);
  const same = material.filter((byte, index) => byte === file.bytes[materialSector * 512 + index]).length;
  assertEquals(same < material.length / 64, true, "nothing of the old key's material is left");
  await change({ state: "active", newSecret: "u", keyslot: 0, iterTimeMs: 1 }, "t");
  assertEquals(await opens(file.bytes, "u"), true);
});
