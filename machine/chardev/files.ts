/**
 * Character devices over files: `file` (output into one, input from another) and `pipe` (two named pipes or one).
 *
 * @module
 */
import { CharBackend, type CharLog } from "./backend.ts";
import { hostReason } from "../../base/errno.ts";
import { ChardevError } from "./errors.ts";
import { OutputQueue } from "./output_queue.ts";

const READ_BYTES = 16 * 1024;

function openFile(filename: string, options: Deno.OpenOptions, verb = "open"): Deno.FsFile {
  try {
    return Deno.openSync(filename, options);
  } catch (error) {
    throw new ChardevError(`Could not ${verb} '${filename}': ${hostReason(error)}`, { cause: error });
  }
}

/** The file of `logfile=`. @throws {ChardevError} where it cannot be made */
export function openLog(filename: string, append: boolean): CharLog {
  const file = openFile(filename, { write: true, create: true, append, truncate: !append }, "create");
  return {
    write: (bytes) => writeAll(file, bytes),
    [Symbol.dispose]: () => file.close(),
  };
}

/** What cannot be written (a full disk) is lost, as QEMU loses it. */
function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  } catch {
    return;
  }
}

/** `file`: what is sent goes into one file; what there is to read, if anything, is in another. */
export class FileChardev extends CharBackend {
  readonly kind = "file";
  readonly #out: Deno.FsFile;
  readonly #input: Input | undefined;

  /** @throws {ChardevError} */
  constructor(label: string, filename: string, how: { readonly append?: boolean; readonly input?: string }) {
    super(label);
    const append = how.append ?? false;
    this.#out = openFile(filename, { write: true, create: true, append, truncate: !append });
    try {
      if (how.input !== undefined) {
        this.#input = new Input(openFile(how.input, { read: true }), (bytes) => this.deliver(bytes));
      }
    } catch (error) {
      this.#out.close();
      throw error;
    }
    this.opened();
  }

  protected send(bytes: Uint8Array): number {
    writeAll(this.#out, bytes);
    return bytes.length;
  }

  protected override frontendChanged(): void {
    if (this.isBusy) this.#input?.start();
  }

  protected override async close(): Promise<void> {
    this.#out.close();
    await this.#input?.close();
  }
}

/** `pipe`: named pipes PATH.in and PATH.out, or PATH for both ways. */
export class PipeChardev extends CharBackend {
  readonly kind = "pipe";
  readonly #input: Input;
  readonly #out: Deno.FsFile;
  readonly #queue: OutputQueue;

  /** @throws {ChardevError} */
  constructor(label: string, path: string) {
    super(label);
    const [source, target] = openPipes(path);
    this.#out = target;
    this.#queue = new OutputQueue(async (bytes) => {
      for (let at = 0; at < bytes.length;) at += await target.write(bytes.subarray(at));
    }, () => this.tellWritable());
    this.#input = new Input(source, (bytes) => this.deliver(bytes));
    this.opened();
  }

  protected send(bytes: Uint8Array): number {
    return this.#queue.push(bytes);
  }

  override flushed(): Promise<void> {
    return this.#queue.flushed();
  }

  protected override frontendChanged(): void {
    if (this.isBusy) this.#input.start();
  }

  protected override async close(): Promise<void> {
    this.#queue.close();
    await this.#input.close({ wake: true });
    this.#out.close();
  }
}

/** Both are opened for both ways, so that opening waits for nobody. */
function openPipes(path: string): [source: Deno.FsFile, target: Deno.FsFile] {
  const bothWays = { read: true, write: true };
  let source: Deno.FsFile;
  try {
    source = Deno.openSync(`${path}.in`, bothWays);
  } catch {
    return [openFile(path, bothWays), openFile(path, bothWays)];
  }
  try {
    return [source, Deno.openSync(`${path}.out`, bothWays)];
  } catch {
    source.close();
    return [openFile(path, bothWays), openFile(path, bothWays)];
  }
}

/** Reads a file from its beginning once somebody listens. */
class Input {
  readonly #file: Deno.FsFile;
  readonly #deliver: (bytes: Uint8Array) => Promise<void>;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(file: Deno.FsFile, deliver: (bytes: Uint8Array) => Promise<void>) {
    this.#file = file;
    this.#deliver = deliver;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    while (!this.#closed) {
      const count = await this.#file.read(buffer).catch(() => null);
      if (count === null || this.#closed) return;
      await this.#deliver(buffer.slice(0, count));
    }
  }

  /** `wake`: it is a pipe, on which a read waits for ever; one byte ends that. */
  async close({ wake = false } = {}): Promise<void> {
    this.#closed = true;
    if (wake && this.#running !== undefined) this.#file.writeSync(new Uint8Array(1));
    await this.#running;
    this.#file.close();
  }
}
