/**
 * A file in three places, as a computer keeps it: the host's page cache, the disk's own write cache, and the medium.
 *
 * A write goes to the page cache, or past it to the disk's where the file was opened so (`cache.direct`). A flush makes
 * everything reach the medium. What is taken away by a killed process, a crashed host and a lost power supply are the
 * places above. Real ones keep by chance some of what this one loses; nobody can count on it.
 *
 * To a graph it is the driver `file`, whatever the file name: `new BlockGraph({ drivers: file.drivers, ... })`.
 *
 * @module
 */
import {
  type BlockDriver,
  BlockGraph,
  builtinDrivers,
  type DriverDefinition,
  type Extent,
  HostClock,
  type IoVector,
  SeededRandom,
} from "../../mod.ts";

const CAPACITY_BYTES = 8 * 1024 * 1024;

/** Bytes, as many as were written. */
class Content {
  readonly bytes = new Uint8Array(CAPACITY_BYTES);
  size = 0;

  set(from: Content): void {
    this.bytes.set(from.bytes.subarray(0, from.size));
    this.size = from.size;
  }

  write(at: number, from: IoVector): void {
    from.copyTo(this.bytes, at);
    this.size = Math.max(this.size, at + from.length);
  }

  get copy(): Uint8Array {
    return this.bytes.slice(0, this.size);
  }
}

/** One file and the disk that it lies on. */
export class PowerFile {
  readonly #host = new Content();
  readonly #disk = new Content();
  readonly #medium = new Content();
  /** Writes since it was made, and their bytes. */
  writes = 0;
  writtenBytes = 0;

  /** `bytes` are on the medium already. */
  constructor(bytes: Uint8Array) {
    for (const content of [this.#host, this.#disk, this.#medium]) {
      content.bytes.set(bytes);
      content.size = bytes.length;
    }
  }

  /** What there is after the process was killed: the kernel has every write that was made. */
  get afterKill(): Uint8Array {
    return this.#host.copy;
  }

  /** What there is after the host crashed and the disk had power all the time. */
  get afterHostCrash(): Uint8Array {
    return this.#disk.copy;
  }

  /** What there is after the power was lost. */
  get afterPowerLoss(): Uint8Array {
    return this.#medium.copy;
  }

  /** A graph in which every file is this one. */
  graph(): BlockGraph {
    const realtime = new HostClock();
    const clocks = { virtual: realtime, realtime, host: new HostClock({ sinceEpoch: true }) };
    const file: DriverDefinition = {
      name: "file",
      kind: "protocol",
      open: (_options, context) => Promise.resolve(this.#driver(context.cacheDirect)),
    };
    const drivers = {
      ...builtinDrivers,
      load: (name: string) => name === "file" ? Promise.resolve(file) : builtinDrivers.load(name),
    };
    return new BlockGraph({ clocks, random: new SeededRandom(1), drivers });
  }

  #driver(direct: boolean): BlockDriver {
    const host = this.#host;
    const write = (at: number, from: IoVector) => {
      this.writes++;
      this.writtenBytes += from.length;
      host.write(at, from);
      if (direct) this.#disk.write(at, from);
    };
    return {
      name: "file",
      get size() {
        return host.size;
      },
      limits: { alignBytes: 1 },
      read: async (at, into) => into.copyFrom(host.bytes.subarray(at, at + into.length)),
      write: async (at, from) => write(at, from),
      writeZeroes: async (at, length) => void host.bytes.fill(0, at, at + length),
      discard: async () => {},
      flush: async () => {
        this.#disk.set(host);
        this.#medium.set(host);
      },
      status: async (_at, length): Promise<Extent> => ({ lengthBytes: length, kind: "data", allocated: true }),
      truncate: async (size) => void (host.size = size),
      [Symbol.asyncDispose]: async () => {},
    };
  }
}
