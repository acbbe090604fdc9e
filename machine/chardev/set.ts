/**
 * The character devices of one program, by id.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import type { CharBackend } from "./backend.ts";
import { ChardevError } from "./errors.ts";
import { FileChardev, openLog, PipeChardev } from "./files.ts";
import { HostSerialChardev } from "./host_serial.ts";
import { MuxChardev } from "./mux.ts";
import type { ChardevKind, ChardevWish } from "./options.ts";
import { PtyChardev } from "./pty.ts";
import { NullChardev, RingChardev } from "./simple.ts";
import { SocketChardev } from "./socket.ts";
import { type StandardStreams, StdioChardev } from "./stdio.ts";
import { UdpChardev } from "./udp.ts";
import { VcChardev } from "./vc.ts";

/** What character devices need of the program. */
export interface ChardevSite {
  readonly streams: StandardStreams;
  readonly clock: Clock;
  /** A line for the user, after the program's name. */
  readonly note: (text: string) => void;
  /** The control code before a multiplexer's keys; Ctrl-a where absent. */
  readonly escape?: number;
  /** A daemon has no standard input and output. */
  readonly isDaemon?: boolean;
}

const CTRL_A = 1;

/** All of them; disposing of it closes them. */
export class ChardevSet implements AsyncDisposable {
  readonly #site: ChardevSite;
  readonly #devices = new Map<string, CharBackend>();
  /** What Ctrl-a x does. */
  terminate: () => void = () => {};
  /** What Ctrl-a s does. */
  saveDisks: () => void = () => {};

  #isStarted = false;

  constructor(site: ChardevSite) {
    this.#site = site;
  }

  /** The program stands: multiplexers open, since all who share one from the beginning are there. */
  start(): void {
    this.#isStarted = true;
    for (const device of this.list) if (device instanceof MuxChardev) device.start();
  }

  /** In order of making. */
  get list(): readonly CharBackend[] {
    return [...this.#devices.values()];
  }

  find(id: string): CharBackend | undefined {
    return this.#devices.get(id);
  }

  /** The device of that id. @throws {ChardevError} */
  get(id: string): CharBackend {
    const device = this.#devices.get(id);
    if (device === undefined) throw new ChardevError(`Chardev '${id}' not found`);
    return device;
  }

  /** Makes a device, and with `mux` another one over it, whose name it is. @throws {ChardevError} */
  async add(id: string, wish: ChardevWish): Promise<CharBackend> {
    if (this.#devices.has(id)) throw new ChardevError(`Chardev with id '${id}' already exists`);
    if (!wish.mux) return this.put(await this.#open(id, wish));
    const base = this.put(await this.#open(`${id}-base`, wish));
    return this.put(this.#mux(id, base));
  }

  /** Of a device just made, or of the one below it: the pseudo terminal that users have to be told of. */
  terminalOf(id: string): PtyChardev | undefined {
    return [this.find(id), this.find(`${id}-base`)].find((device) => device instanceof PtyChardev);
  }

  /** Takes in a device that was made elsewhere, such as one that a script plays. */
  put<Device extends CharBackend>(device: Device): Device {
    if (this.#devices.has(device.label)) throw new ChardevError(`Chardev with id '${device.label}' already exists`);
    this.#devices.set(device.label, device);
    return device;
  }

  /** @throws {ChardevError} where it is in use, or is not there */
  async remove(id: string): Promise<void> {
    const device = this.get(id);
    if (device.isBusy) throw new ChardevError(`Chardev '${id}' is busy`);
    this.#devices.delete(id);
    await device[Symbol.asyncDispose]();
  }

  /** Puts another device in the place of one, under the same frontend. @throws {ChardevError} */
  async change(id: string, wish: ChardevWish): Promise<CharBackend> {
    const before = this.#devices.get(id);
    if (before === undefined) throw new ChardevError(`Chardev '${id}' does not exist`);
    if (before instanceof MuxChardev || wish.device.kind === "mux") {
      throw new ChardevError("Mux device hotswap not supported yet");
    }
    const after = await this.#open(id, wish);
    this.#devices.set(id, after);
    before.replaceBy(after);
    await before[Symbol.asyncDispose]();
    return after;
  }

  async #open(id: string, wish: ChardevWish): Promise<CharBackend> {
    const log = wish.log === undefined ? undefined : openLog(wish.log.filename, wish.log.append);
    try {
      const device = await this.#make(id, wish.device);
      device.log = log;
      return device;
    } catch (error) {
      log?.[Symbol.dispose]();
      throw error;
    }
  }

  #make(id: string, device: ChardevKind): CharBackend | Promise<CharBackend> {
    const { streams, clock, note } = this.#site;
    switch (device.kind) {
      case "null":
        return new NullChardev(id);
      case "vc":
        return new VcChardev(id);
      case "ringbuf":
      case "memory":
        return new RingChardev(id, device.kind, device.sizeBytes);
      case "file":
        return new FileChardev(id, device.filename, device);
      case "pipe":
        return new PipeChardev(id, device.path);
      case "serial":
        return new HostSerialChardev(id, device.path, clock);
      case "pty":
        return new PtyChardev(id, clock);
      case "udp":
        return UdpChardev.open(id, device.udp);
      case "socket":
        return SocketChardev.open(id, device.socket, { clock, note });
      case "stdio":
        if (this.#site.isDaemon) throw new ChardevError("cannot use stdio with -daemonize");
        if (this.list.some(({ kind }) => kind === "stdio")) {
          throw new ChardevError("cannot use stdio by multiple character devices");
        }
        return new StdioChardev(id, streams, device.signal);
      case "mux": {
        const base = this.#devices.get(device.base);
        if (base === undefined) throw new ChardevError(`mux: base chardev ${device.base} not found`);
        return this.#mux(id, base);
      }
    }
  }

  #mux(id: string, base: CharBackend): MuxChardev {
    const mux = new MuxChardev(id, base, {
      clock: this.#site.clock,
      actions: () => ({ terminate: this.terminate, saveDisks: this.saveDisks }),
      escape: this.#site.escape ?? CTRL_A,
    });
    if (this.#isStarted) mux.start();
    return mux;
  }

  /** Closes all; multiplexers before what is below them. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = this.list.toReversed();
    this.#devices.clear();
    for (const device of all) await device[Symbol.asyncDispose]();
  }
}
