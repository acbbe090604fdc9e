/**
 * A machine's monitors under clients that talk at random: lines at the prompt, and QMP requests made from the schema with
 * members that are missing, wrong or too many, or with broken JSON between them.
 *
 * Every line and every request is answered, with an error where it is due; no command breaks, nothing hangs, and in the
 * end the machine still answers and can be taken down.
 *
 * Left out: commands that end the machine, or that write, dial and listen where they are told.
 *
 * @module
 */
import { ManualClock } from "../../base/clocks.ts";
import type { SeededRandom } from "../../base/random.ts";
import { allCommands } from "../../monitor/mod.ts";
import { testVm } from "../../monitor/testing.ts";
import type { Vm } from "../../monitor/vm.ts";
import { pick } from "../support/pick.ts";
import { TempFolder } from "../support/temp.ts";
import { type Schema, SchemaValues } from "./schema_values.ts";
import { type Finding, type Seeds, trySeeds } from "./seeds.ts";

/** How it is run. */
export interface MonitorFuzz extends Seeds {
  /** Breaks the machine on purpose. */
  readonly plant?: (vm: Vm) => void;
}

const STEPS = 30;
/** More than any command takes, on a busy machine, too. */
const PATIENCE_MS = 120_000;
const LEFT_OUT = new Set([
  ...["quit", "q", "screendump", "memsave", "pmemsave", "log", "logfile", "trace-event", "info trace-events"],
  ...["chardev-add", "chardev-change"],
]);

const LINE_COMMANDS = (["", "info"] as const).flatMap((group) =>
  allCommands({ strict: false }).table(group === "" ? undefined : group)
    .flatMap(({ words }) => words.map((word) => group === "" ? word : `info ${word}`))
).filter((name) => !LEFT_OUT.has(name));

/** What names things in the machine. */
const SOUND = ["disk0", "n0", "n1", "vd", "hd", "ide1-cd0", "floppy0", "pci.0", "job0", "0", "1", "512", "64k", "1M"];

/** What names nothing, or may be something. */
const OTHERS = [
  ...["ide.0", "bitmap0", "snap0", "/machine", "/machine/peripheral/vd", "type", "virtio-blk-pci,drive=n1,id=v2"],
  ...["driver=ide-hd,drive=n1,id=q1", "null-co", "if=none,id=z,file=null-co://", "node-name=q,driver=null-co"],
  ...["throttle-group,id=tg", "secret,id=s1,data=abc", "null-co://", "json:{}", 'json:{"driver":"null-co"}', "json:["],
  ...["/nonexistent/x", "raw", "qcow2", "full", "top", "on", "off", "help", "-1", "0x10", "1e9", "9".repeat(30), "1/0"],
  ...["(1+2)*3", "$eax", "/4xb", "/", "0xb8000", "ret", "ctrl-alt-delete", "-f", "-a", "-n", "-q", '""', '"a b"', '"'],
  ...["=", ",", "", "x".repeat(300), "\u{1f600}", "%n", "__proto__", "constructor", "read 0 512", "write -P 1 0 4k"],
];
const NAMES = [...SOUND, ...SOUND, ...SOUND, ...SOUND, ...OTHERS];

/** Runs with seeds from `seed` on. */
export function fuzzMonitors({ plant, ...seeds }: MonitorFuzz): Promise<Finding[]> {
  return trySeeds(seeds, async ({ random, told }) => {
    await using folder = await TempFolder.make();
    const before = Deno.cwd();
    // Names of files lead nowhere else.
    Deno.chdir(folder.path);
    const talk = new Talk(random);
    try {
      await talk.run(plant);
    } finally {
      told.push(talk.said);
      Deno.chdir(before);
    }
  });
}

class Talk {
  readonly #random: SeededRandom;
  readonly #clock = new ManualClock();
  #answers: string[] = [];
  /** What was said last. */
  said = "";

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  async run(plant?: (vm: Vm) => void): Promise<void> {
    const clock = this.#clock;
    const vm = await testVm({
      nodefaults: false,
      clocks: { virtual: clock, realtime: clock, host: new ManualClock(1e18) },
      blockdevs: ["driver=null-co,node-name=n0,size=1048576", "driver=null-co,node-name=n1,size=1048576"],
      drives: [
        "if=ide,index=0,id=disk0,file=null-co://,format=raw",
        "if=none,id=hd,file=null-co://,format=raw",
      ],
      devices: ["virtio-blk-pci,drive=n0,id=vd"],
      serial: ["null"],
    });
    plant?.(vm);
    try {
      const session = vm.qmpServer.session({ pretty: false, send: (line) => void this.#answers.push(line) });
      const send = async (text: string) => {
        await session.push(new TextEncoder().encode(text));
        await session.settled();
      };
      await send('{"execute":"qmp_capabilities"}');
      const schema = await vm.qmp("query-qmp-schema", {}) as readonly Schema[];
      const values = new SchemaValues(this.#random, schema, NAMES);
      const commands = values.commands.filter((name) => !LEFT_OUT.has(name));
      for (let step = 0; step < STEPS; step++) {
        if (this.#random.below(8) === 0) clock.advance(this.#random.below(10_000_000));
        if (this.#random.below(2) === 0) await this.#line(vm);
        else await this.#request(send, pick(this.#random, commands), values);
      }
      this.said = "info status";
      const status = await soon(vm.monitor("info status"));
      if (!status.startsWith("VM status: ")) throw new Error(`the machine answers "${status}" in the end`);
    } finally {
      await soon(vm[Symbol.asyncDispose]());
    }
  }

  async #line(vm: Vm): Promise<void> {
    const random = this.#random;
    const words = Array.from({ length: random.below(5) }, () => pick(random, NAMES));
    this.said = [pick(random, LINE_COMMANDS), ...words].join(" ");
    await soon(vm.monitor(this.said));
  }

  async #request(send: (text: string) => Promise<void>, name: string, values: SchemaValues): Promise<void> {
    const random = this.#random;
    let text = JSON.stringify({ execute: name, arguments: values.argumentsOf(name), id: 1 });
    if (random.below(20) === 0) {
      const at = random.below(text.length);
      text = `${text.slice(0, at)}${pick(random, ["", '"', "}", "]", ",", "\\", "\u0001"])}${text.slice(at + 1)}\n`;
    }
    this.said = text;
    this.#answers = [];
    await soon(send(text));
    // What is broken ends at a line's end in the worst case; a byte that JSON never has clears it away.
    await soon(send("\xff\n"));
    if (!this.#answers.some((line) => /^\{"(return|error)": /.test(line))) throw new Error("no answer");
  }
}

/** Waits, but not for ever. */
async function soon<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it hangs")), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, hung]);
  } finally {
    clearTimeout(timer);
  }
}
