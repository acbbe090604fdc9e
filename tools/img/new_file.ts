/**
 * The file that a command makes: it is gone again when the command fails or is interrupted, and a qcow2 image in it does
 * not open before it is whole.
 *
 * While it is filled, the header of a qcow2 image names a version that nobody knows, so that even a process that was
 * killed leaves nothing behind that looks finished. Left out: devices and names with a protocol, which are not removed.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import type { BlockNode } from "../../block/mod.ts";
import { Exit } from "../common/program.ts";

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
const VERSION_OFFSET = 4;
const NO_VERSION = Uint8Array.of(0xff, 0xff, 0xff, 0xff);

/** What is at `path`, if that is a regular file. */
function regularFile(path: string): Deno.FileInfo | undefined {
  try {
    const info = Deno.statSync(path);
    return info.isFile ? info : undefined;
  } catch {
    return undefined;
  }
}

/** A file being made; dispose of it when its node is closed. */
export class NewFile implements AsyncDisposable {
  readonly #path: string | undefined;
  #before: Deno.FileInfo | undefined;
  #state: "untouched" | "making" | "made" | "kept" = "untouched";
  #hidden: { readonly file: BlockNode; readonly version: Uint8Array } | undefined;
  #signal = 0;
  readonly #handlers: (readonly [Deno.Signal, () => void])[] = [];

  constructor(filename: string) {
    const path = filename.startsWith("file:") ? filename.slice(5) : filename;
    this.#path = /^(?:json:|[^/]*:\/\/)/.test(path) ? undefined : path;
    for (const [name, number] of Object.entries(SIGNALS)) {
      const handler = () => {
        this.#signal ||= number;
      };
      Deno.addSignalListener(name as Deno.Signal, handler);
      this.#handlers.push([name as Deno.Signal, handler]);
    }
  }

  /** Makes the file with `make`. */
  async replace(make: () => Promise<unknown>): Promise<void> {
    this.#before = this.#path === undefined ? undefined : regularFile(this.#path);
    this.#state = "making";
    await make();
    this.#state = "made";
  }

  /** Whether SIGINT, SIGTERM or SIGHUP has come. */
  get interrupted(): boolean {
    return this.#signal !== 0;
  }

  /** @throws {Exit} with the shell's status for the signal, after one has come. */
  throwIfInterrupted(): void {
    if (this.#signal !== 0) throw new Exit(128 + this.#signal);
  }

  /** Makes the image in `node`, which is open, one that does not open until {@link show}. */
  async hide(node: BlockNode): Promise<void> {
    const file = node.child("file");
    if (node.driver.name !== "qcow2" || file === undefined) return;
    await node.flush();
    const version = new Uint8Array(NO_VERSION.length);
    await file.read(VERSION_OFFSET, IoVector.of(version));
    await file.write(VERSION_OFFSET, IoVector.of(NO_VERSION));
    this.#hidden = { file, version };
  }

  /** Undoes {@link hide}, after everything else has been written. */
  async show(node: BlockNode): Promise<void> {
    await node.flush();
    if (this.#hidden === undefined) return;
    await this.#hidden.file.write(VERSION_OFFSET, IoVector.of(this.#hidden.version));
  }

  /** All went well. */
  keep(): void {
    this.#state = "kept";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [name, handler] of this.#handlers) Deno.removeSignalListener(name, handler);
    const path = this.#path;
    if (path === undefined || this.#state === "kept" || this.#state === "untouched") return;
    const now = regularFile(path);
    if (now === undefined) return;
    // Where making it was refused (a lock, a missing right), what was there before is still there.
    const emptied = this.#before !== undefined && this.#before.size > 0 && now.size === 0;
    if (this.#state === "making" && this.#before !== undefined && !emptied) return;
    await Deno.remove(path).catch(() => {});
  }
}
