/**
 * Two machines for tests of jobs, with the same nodes: moa's in this process, on memory and under a writer, and the real
 * program's on files.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { nextTurn } from "../../base/turn.ts";
import { IoVector } from "../../base/io_vector.ts";
import { SeededRandom } from "../../base/random.ts";
import { testVm } from "../../monitor/testing.ts";
import type { Vm } from "../../monitor/mod.ts";
import { TempFolder } from "./temp.ts";

type Data = Readonly<Record<string, unknown>>;

/** What a client of the protocol does with jobs. */
export interface JobClient {
  /** The whole reply. */
  ask(command: string, data?: Data): Promise<Data>;
  /** What is answered. @throws {Error} with the refusal */
  must(command: string, data?: Data): Promise<unknown>;
  /** Waits until job `j` has told that it is `status`, since {@link forget}. */
  until(status: string): Promise<void>;
  /** Takes no notice of what was told before. */
  forget(): void;
  /** Ends all jobs, and makes all images and nodes anew: `base <- mid <- top`, and empty `target` and `second`. */
  renew(): Promise<void>;
  /** Adds node `scratch`, on which nothing lies. */
  addScratch(): Promise<void>;
}

const LIMIT_MS = 60_000;
const LAYERS = ["base", "mid", "top"] as const;
const NODES = [...LAYERS, "target", "second"] as const;

abstract class Client implements JobClient {
  readonly sizeBytes: number;
  #told: string[] = [];
  #replies: Data[] = [];
  #wake: (() => void) | undefined;

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
  }

  protected abstract send(text: string): Promise<void>;
  /** How the node below an image is opened. */
  protected abstract below(name: string): Data;

  protected take(line: string): void {
    const message = JSON.parse(line) as Data;
    if ("event" in message) {
      const data = message["data"] as Data;
      if (message["event"] === "JOB_STATUS_CHANGE" && data["id"] !== "k") {
        this.#told.push(`${data["id"]} ${data["status"]}`);
      }
    } else if (!("QMP" in message)) this.#replies.push(message);
    this.#wake?.();
  }

  async #wait(holds: () => boolean, what: string): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#wake?.();
    }, LIMIT_MS);
    while (!holds() && !isLate) await new Promise<void>((resolve) => this.#wake = resolve);
    clearTimeout(timer);
    if (isLate) throw new Error(`${what} never came; told: ${this.#told.join(", ")}`);
  }

  async ask(command: string, data: Data = {}): Promise<Data> {
    await this.send(`${JSON.stringify({ execute: command, arguments: data })}\n`);
    await this.#wait(() => this.#replies.length > 0, `an answer to ${command}`);
    return this.#replies.shift()!;
  }

  async must(command: string, data: Data = {}): Promise<unknown> {
    const reply = await this.ask(command, data);
    if (!("return" in reply)) throw new Error(`${command} ${JSON.stringify(data)}: ${JSON.stringify(reply)}`);
    return reply["return"];
  }

  until(status: string): Promise<void> {
    return this.#wait(() => this.#told.includes(`j ${status}`), status);
  }

  forget(): void {
    this.#told = [];
  }

  async renew(): Promise<void> {
    await this.clear();
    for (const name of NODES) {
      await this.must("blockdev-add", { ...this.below(name), "node-name": `${name}-file` });
      const options = { driver: "qcow2", file: `${name}-file`, size: this.sizeBytes };
      await this.must("blockdev-create", { "job-id": "make", options });
      await this.#wait(() => this.#told.includes("make concluded"), "an image");
      await this.must("job-dismiss", { id: "make" });
      this.forget();
      const index = LAYERS.findIndex((layer) => layer === name);
      const backing = index > 0 ? { backing: LAYERS[index - 1] } : {};
      await this.must("blockdev-add", { driver: "qcow2", "node-name": name, file: `${name}-file`, ...backing });
      if (index < 0) continue;
      // The base has all, each layer above it a half.
      const [at, length] = [[0, 1], [0, 0.5], [0.5, 0.5]][index]!.map((part) => part * this.sizeBytes);
      const line = `qemu-io ${name} "write -q -P ${index + 1} ${at} ${length}"`;
      assertEquals(await this.must("human-monitor-command", { "command-line": line }), "");
    }
    this.forget();
  }

  async addScratch(): Promise<void> {
    await this.must("blockdev-add", { ...this.below("scratch"), "node-name": "scratch" });
  }

  protected async endJobs(): Promise<void> {
    for (;;) {
      const jobs = await this.must("query-jobs") as { id: string; status: string }[];
      if (jobs.length === 0) break;
      for (const { id, status } of jobs) {
        // Each may have ended meanwhile.
        await this.ask(status === "concluded" ? "job-dismiss" : "job-cancel", { id });
      }
      await nextTurn();
    }
  }

  /** Ends jobs and takes nodes away. */
  protected async clear(): Promise<void> {
    await this.endJobs();
    for (let names = await this.#names(); names.length > 0; names = await this.#names()) {
      let gone = 0;
      for (const name of names) if ("return" in await this.ask("blockdev-del", { "node-name": name })) gone++;
      if (gone === 0) throw new Error(`nobody lets go of ${names.join(", ")}`);
    }
  }

  async #names(): Promise<string[]> {
    const nodes = await this.must("query-named-block-nodes", { flat: true }) as { "node-name": string }[];
    return nodes.map((node) => node["node-name"]);
  }
}

/** The first byte that differs; -1 for none. */
function differs(bytes: Uint8Array, model: Uint8Array): number {
  for (let at = 0; at < model.length; at++) if (bytes[at] !== model[at]) return at;
  return -1;
}

/** moa's machine: images in memory, and somebody who writes to `top` all the time and knows what is there. */
export class MemoryMachine extends Client implements AsyncDisposable {
  readonly #vm: Vm;
  readonly #session: ReturnType<Vm["qmpServer"]["session"]>;
  readonly #random = new SeededRandom(5);
  readonly #model: Uint8Array;
  #hasDisk = false;
  #stop = false;
  #writing: Promise<void> | undefined;
  writes = 0;

  private constructor(vm: Vm, sizeBytes: number) {
    super(sizeBytes);
    this.#vm = vm;
    this.#model = new Uint8Array(sizeBytes);
    this.#session = vm.qmpServer.session({ pretty: false, send: (line) => this.take(line) });
  }

  static async start(sizeBytes: number): Promise<MemoryMachine> {
    const machine = new MemoryMachine(await testVm({ drives: ["if=none,id=d0"] }), sizeBytes);
    await machine.must("qmp_capabilities");
    return machine;
  }

  protected async send(text: string): Promise<void> {
    await this.#session.push(new TextEncoder().encode(text));
  }

  protected below(): Data {
    return { driver: "memory", size: 2 * this.sizeBytes };
  }

  get #drive() {
    return this.#vm.machine.backends.find("d0")!;
  }

  override async renew(): Promise<void> {
    await super.renew();
    this.#model.fill(2, 0, this.sizeBytes / 2).fill(3, this.sizeBytes / 2);
    await this.#drive.insertMedium(this.#vm.machine.graph.find("top")!);
    this.#hasDisk = true;
    this.#stop = false;
    this.#writing = this.#write();
  }

  async #write(): Promise<void> {
    while (!this.#stop) {
      const at = this.#random.below(this.sizeBytes / 512 - 64) * 512;
      const bytes = new Uint8Array((1 + this.#random.below(63)) * 512).fill(++this.writes);
      await this.#drive.write(at, IoVector.of(bytes));
      this.#model.set(bytes, at);
      for (let turn = 0; turn < 4; turn++) await nextTurn();
    }
  }

  /** However jobs ended, the disk is what was written to it. */
  protected override async clear(): Promise<void> {
    await this.endJobs();
    this.#stop = true;
    await this.#writing;
    if (this.#hasDisk) {
      const all = IoVector.allocate(this.sizeBytes);
      await this.#drive.read(0, all);
      assertEquals(differs(all.toBytes(), this.#model), -1, "where the disk differs from what was written to it");
      await this.#drive.removeMedium();
      this.#hasDisk = false;
    }
    await super.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop = true;
    await this.#writing?.catch(() => {});
    await this.#vm[Symbol.asyncDispose]();
  }
}

/** The real program, with images in files. */
export class RealMachine extends Client implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #temp: TempFolder;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;

  private constructor(child: Deno.ChildProcess, temp: TempFolder, sizeBytes: number) {
    super(sizeBytes);
    this.#child = child;
    this.#temp = temp;
    this.#writer = child.stdin.getWriter();
    this.#reading = this.#read();
  }

  static async start(sizeBytes: number): Promise<RealMachine> {
    const temp = await TempFolder.make();
    const child = new Deno.Command("qemu-system-x86_64", {
      args: "-accel tcg -S -display none -nodefaults -qmp stdio".split(" "),
      cwd: temp.path,
      env: { LC_ALL: "C" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const machine = new RealMachine(child, temp, sizeBytes);
    await machine.must("qmp_capabilities");
    return machine;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith("{")) this.take(line);
    }
  }

  protected async send(text: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(text));
  }

  protected below(name: string): Data {
    const path = this.#temp.file(name);
    Deno.writeFileSync(path, new Uint8Array());
    return { driver: "file", filename: path };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
    await this.#writer.close().catch(() => {});
    await this.#temp[Symbol.asyncDispose]();
  }
}
