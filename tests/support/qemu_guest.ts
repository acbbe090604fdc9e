/**
 * Plays the guest under the real qemu-system-x86_64: a firmware of 807 bytes takes byte commands on COM1 and does port
 * and memory accesses. It offers moa's `GuestBus`, so that the same guest program runs on both and answers can be
 * compared.
 *
 * The firmware switches to flat 32-bit protected mode with interrupts off, makes IRQ 14 and 15 level-triggered in the
 * interrupt controller (so that its request register shows the line) and sends "R". Commands, little-endian:
 * 01/02/04 port16: in. 11/12/14 port16 value: out. 22 port16 count32: rep insw. 32 port16 count32 data: rep outsw.
 * 41 address32 length32: read memory, byte by byte. 42 address32 length32 data: write memory. 61/62/64 address32: read
 * memory by one access. 71/72/74 address32 value: write memory by one access. 51 port16 mask8 value8: read the port
 * until (it & mask) == value, at most 2^24 times, and send what was read last.
 *
 * @module
 */
import type { GuestBus } from "../../machine/guest/bus.ts";

const FIRMWARE_BYTES = 0x10000;
const FIRMWARE =
  "+i5mDwEWgAIPIMBmg8gBDyLAZuoaAA8ACABmuBAAjtiOwI7QvACAAABmuvoDsAfuZrrRBLDA7rBS6LoBAADopgEAADwBdGE8AnRqPAR0fjwRD4SGAA" +
  "AAPBIPhJAAAAA8FA+EmwAAADwiD4SlAAAAPCQPhMAAAAA8Mg+E0wAAADw0D4TnAAAAPEEPhPoAAAA8Qg+EDQEAADxRD4QgAQAA6eQBAACQkJCQ6KwB" +
  "AADs6EUBAADrieifAQAAZu3oNwEAAIjg6DABAADpcf///+iHAQAA7ehbAQAA6WH////odwEAAOgCAQAAidru6U/////oZQEAAOgQAQAAidpm7+k8//" +
  "//6FIBAADoFQEAAIna7+kq////6EABAADoAwEAAInBidpm7ejPAAAAiODoyAAAAOLu6Qf////oHQEAAOjgAAAAicGJ2u3o6AAAAOL26ez+///oAgEA" +
  "AOjFAAAAicHopgAAAInaZu/i9enQ/v//6OYAAADoqQAAAInB6KIAAACJ2u/i9um1/v//6JMAAACJxuiMAAAAicGs6FsAAADi+Oma/v//6HgAAACJx+" +
  "hxAAAAicHoMgAAAKri+Ol//v//6JUAAADoQAAAAInGuQAAAAGJ2uyIxInyINQ49HQC4vHoFAAAAOlV/v//Zrr9A+yoAXT7Zrr4A+zDUGa6/QPsqCB0" +
  "+1hmuvgD7sPo2////w+2wFDo0v///w+2wMHgCFoJ0MPo4////1Do3f///8HgEFoJ0MOJxei+////iejB6AjotP///4nowegQ6Kr///+J6MHoGOig//" +
  "//w+ir////icOJwsONtAAAkAAAAAAAAAAA//8AAACbzwD//wAAAJPPABcAaAIPAAAAPGF0IDxidC88ZHRGPHF0VTxydGQ8dHR0sD/oUf///+mS/f//" +
  "6HD///+JxooG6D7////pf/3//+hd////icZmiwboKv///4jg6CP////pZP3//+hC////icaLBuhL////6VH9///oL////4nH6PD+//+IB+k+/f//6B" +
  "z///+Jx+j9/v//ZokH6Sr9///oCP///4nH6AH///+JB+kX/f//";

function firmware(): Uint8Array {
  const image = new Uint8Array(FIRMWARE_BYTES);
  image.set(Uint8Array.from(atob(FIRMWARE), (char) => char.charCodeAt(0)));
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0); // the reset vector: far jump to f000:0000
  return image;
}

const PIC_MASTER = 0x20;
const PIC_SLAVE = 0xa0;

/** A running qemu-system-x86_64 whose guest does what it is told. */
export class QemuGuest implements GuestBus, AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #serial: Deno.Conn;
  readonly #monitorInput: WritableStreamDefaultWriter<Uint8Array>;
  readonly #monitorOutput: ReadableStreamDefaultReader<string>;
  readonly #folder: string;
  #received = new Uint8Array(0);
  #monitorText = "";

  private constructor(process: Deno.ChildProcess, serial: Deno.Conn, folder: string) {
    this.#process = process;
    this.#serial = serial;
    this.#folder = folder;
    this.#monitorInput = process.stdin.getWriter();
    this.#monitorOutput = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts `qemu-system-x86_64 -M pc -accel tcg` with these further arguments. */
  static async start(args: readonly string[]): Promise<QemuGuest> {
    const folder = await Deno.makeTempDir({ prefix: "moa-oracle-" });
    const socket = `${folder}/serial`;
    await Deno.writeFile(`${folder}/rom.bin`, firmware());
    const listener = Deno.listen({ transport: "unix", path: socket });
    const process = new Deno.Command("qemu-system-x86_64", {
      // deno-fmt-ignore
      args: ["-M", "pc", "-accel", "tcg", "-m", "16", "-display", "none", "-vga", "none", "-net", "none", "-bios", `${folder}/rom.bin`,
        "-serial", `unix:${socket}`, "-monitor", "stdio", ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const serial = await Promise.race([
      listener.accept(),
      process.status.then(() => Promise.reject(new Error("qemu-system-x86_64 ended"))),
    ]);
    listener.close();
    const guest = new QemuGuest(process, serial, folder);
    await guest.#readMonitor();
    const ready = await guest.#receive(1);
    if (ready[0] !== 0x52) throw new Error(`the firmware says ${ready[0]}`);
    return guest;
  }

  async in8(port: number): Promise<number> {
    return (await this.#ask(command(0x01, [port, 2]), 1))[0]!;
  }

  async in16(port: number): Promise<number> {
    return littleEndian(await this.#ask(command(0x02, [port, 2]), 2));
  }

  async in32(port: number): Promise<number> {
    return littleEndian(await this.#ask(command(0x04, [port, 2]), 4));
  }

  async out8(port: number, value: number): Promise<void> {
    await this.#send(command(0x11, [port, 2], [value, 1]));
  }

  async out16(port: number, value: number): Promise<void> {
    await this.#send(command(0x12, [port, 2], [value, 2]));
  }

  async out32(port: number, value: number): Promise<void> {
    await this.#send(command(0x14, [port, 2], [value, 4]));
  }

  async ins16(port: number, into: Uint8Array): Promise<void> {
    into.set(await this.#ask(command(0x22, [port, 2], [into.length / 2, 4]), into.length));
  }

  async outs16(port: number, bytes: Uint8Array): Promise<void> {
    await this.#send(command(0x32, [port, 2], [bytes.length / 2, 4]));
    await this.#send(bytes);
  }

  async readMemory(address: number, lengthBytes: number): Promise<Uint8Array> {
    if (lengthBytes === 0) return new Uint8Array(0);
    if (isWidth(lengthBytes)) return await this.#ask(command(0x60 | lengthBytes, [address, 4]), lengthBytes);
    return await this.#ask(command(0x41, [address, 4], [lengthBytes, 4]), lengthBytes);
  }

  async writeMemory(address: number, bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    if (isWidth(bytes.length)) {
      await this.#send(command(0x70 | bytes.length, [address, 4], [littleEndian(bytes), bytes.length]));
      return;
    }
    await this.#send(command(0x42, [address, 4], [bytes.length, 4]));
    await this.#send(bytes);
  }

  /** Reads `port` inside the guest until `(it & mask) == value`; returns what it read last. */
  async poll(port: number, mask: number, value: number): Promise<number> {
    return (await this.#ask(command(0x51, [port, 2], [mask, 1], [value, 1]), 1))[0]!;
  }

  /** The level of an interrupt line (14 or 15), from the interrupt controller's request register. */
  async interruptLevel(line: number): Promise<0 | 1> {
    const pic = line >= 8 ? PIC_SLAVE : PIC_MASTER;
    await this.out8(pic, 0x0a); // OCW3: the next read gives the request register
    return ((await this.in8(pic)) >> (line & 7) & 1) as 0 | 1;
  }

  async waitForInterrupt(line: number, signal?: AbortSignal): Promise<void> {
    while (await this.interruptLevel(line) === 0) signal?.throwIfAborted();
  }

  async pause(): Promise<void> {
    await this.in8(0x80);
  }

  /** Sends one line to the monitor; returns what it answers, without echo and prompt. */
  async monitor(line: string): Promise<string> {
    await this.#monitorInput.write(new TextEncoder().encode(line + "\n"));
    const text = await this.#readMonitor();
    return text.slice(text.indexOf("\n") + 1).replaceAll("\r", "");
  }

  /** Resets the machine; resolves when its firmware takes commands again. */
  async reset(): Promise<void> {
    await this.monitor("system_reset");
    const ready = await this.#receive(1);
    if (ready[0] !== 0x52) throw new Error(`the firmware says ${ready[0]}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    this.#serial.close();
    await this.#process.status;
    await this.#monitorInput.abort().catch(() => {});
    await this.#monitorOutput.cancel().catch(() => {});
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#serial.write(bytes.subarray(at));
  }

  async #ask(request: Uint8Array, answerBytes: number): Promise<Uint8Array> {
    await this.#send(request);
    return await this.#receive(answerBytes);
  }

  async #receive(lengthBytes: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(65536);
    while (this.#received.length < lengthBytes) {
      const count = await this.#serial.read(buffer);
      if (count === null) throw new Error("qemu-system-x86_64 closed the serial line");
      const joined = new Uint8Array(this.#received.length + count);
      joined.set(this.#received);
      joined.set(buffer.subarray(0, count), this.#received.length);
      this.#received = joined;
    }
    const answer = this.#received.slice(0, lengthBytes);
    this.#received = this.#received.slice(lengthBytes);
    return answer;
  }

  async #readMonitor(): Promise<string> {
    const prompt = "\n(qemu) ";
    for (;;) {
      const at = this.#monitorText.indexOf(prompt);
      if (at >= 0) {
        const text = this.#monitorText.slice(0, at + 1);
        this.#monitorText = this.#monitorText.slice(at + prompt.length);
        return text;
      }
      const { value, done } = await this.#monitorOutput.read();
      if (done) throw new Error(`qemu-system-x86_64 ended: ${this.#monitorText}`);
      this.#monitorText += value.replaceAll("\r", "");
    }
  }
}

function isWidth(lengthBytes: number): boolean {
  return lengthBytes === 1 || lengthBytes === 2 || lengthBytes === 4;
}

function command(code: number, ...fields: readonly (readonly [value: number, bytes: number])[]): Uint8Array {
  const bytes = [code];
  for (const [value, size] of fields) for (let i = 0; i < size; i++) bytes.push(value >>> (8 * i) & 0xff);
  return Uint8Array.from(bytes);
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}
