/**
 * A guest that pokes an IDE channel's registers and writes down what it sees, one line a step.
 *
 * Dialogues made of it run over real QEMU (to record) and over moa (to compare), so every step waits for the drive in
 * the same way and nothing in a line depends on time.
 *
 * @module
 */
import type { Answer, GuestBus } from "../../../machine/guest/bus.ts";

/** What a dialogue is run over. */
export interface ProbeBus extends GuestBus {
  /** The level of interrupt line 14 or 15. */
  interruptLevel(line: number): Answer<0 | 1>;
  /** Reads `port` until `(it & mask) == value`, and gives up after very many; what it read last. */
  poll(port: number, mask: number, value: number): Promise<number>;
  /** An HMP line: `eject`, `change`. */
  monitor(line: string): Promise<string>;
}

/** A command's registers; what is left out is not written. */
export interface Taskfile {
  readonly features?: number;
  readonly count?: number;
  readonly lba?: number;
  /** Drive/head register; 0xe0 by default. */
  readonly device?: number;
  /** Writes the high-order bytes first. */
  readonly ext?: boolean;
}

/** Two hexadecimal digits, or `width`. */
export function hex(value: number, width = 2): string {
  return value.toString(16).padStart(width, "0");
}

/** All bytes in hexadecimal; long ones are cut and summed. */
export function dump(bytes: Uint8Array): string {
  const text = (part: Uint8Array) => Array.from(part, (byte) => hex(byte)).join("");
  if (bytes.length <= 128) return text(bytes);
  let sum = 0;
  for (const byte of bytes) sum = (sum * 31 + byte) >>> 0;
  return `${text(bytes.subarray(0, 48))}...(${bytes.length} bytes, sum ${hex(sum, 8)})`;
}

/** One channel as a guest sees it. */
export class Probe {
  readonly bus: ProbeBus;
  readonly base: number;
  readonly control: number;
  readonly line: number;
  readonly lines: string[] = [];

  constructor(bus: ProbeBus, channel: 0 | 1 = 0) {
    this.bus = bus;
    this.base = channel === 0 ? 0x1f0 : 0x170;
    this.control = this.base + 0x206;
    this.line = 14 + channel;
  }

  /** Writes down one line. */
  log(text: string): void {
    this.lines.push(text);
  }

  /** Logs what many steps said: each outcome once, with the steps that had it. */
  logGroups(outcomes: readonly (readonly [step: string, outcome: string])[]): void {
    const groups = new Map<string, string[]>();
    for (const [step, outcome] of outcomes) groups.set(outcome, [...groups.get(outcome) ?? [], step]);
    for (const [outcome, steps] of groups) this.log(`${outcome} <- ${steps.join(" ")}`);
  }

  /** The task file, alternate status and interrupt line, without touching anything. */
  async registers(): Promise<string> {
    let text = "";
    for (let i = 1; i <= 6; i++) text += hex(await this.bus.in8(this.base + i)) + " ";
    return `${text}st=${hex(await this.bus.in8(this.control))} irq=${await this.bus.interruptLevel(this.line)}`;
  }

  /** Logs the registers. */
  async show(label: string): Promise<void> {
    this.log(`${label}: ${await this.registers()}`);
  }

  /** Runs a step; its lines, without a label, are returned rather than logged. */
  async outcome(step: () => Promise<unknown>): Promise<string> {
    const before = this.lines.length;
    await step();
    return this.lines.splice(before).map((line) => line.replace(/^[^:]*: ?/, "")).join("; ");
  }

  async out(register: number, value: number): Promise<void> {
    await this.bus.out8(this.base + register, value);
  }

  async in(register: number): Promise<number> {
    return await this.bus.in8(this.base + register);
  }

  /** Waits for BSY to go. */
  async idle(): Promise<number> {
    return await this.bus.poll(this.control, 0x80, 0);
  }

  async softReset(): Promise<void> {
    await this.bus.out8(this.control, 0x04);
    await this.bus.out8(this.control, 0x00);
    await this.idle();
  }

  /** Writes the task file and the command. */
  async issue(command: number, file: Taskfile = {}): Promise<void> {
    const { features, count, lba, device = 0xe0, ext = false } = file;
    await this.out(6, lba !== undefined && !ext && (device & 0x40) ? device | Math.floor(lba / 2 ** 24) & 0xf : device);
    if (ext) {
      await this.out(1, (features ?? 0) >> 8);
      await this.out(2, (count ?? 0) >> 8 & 0xff);
      for (let i = 0; i < 3; i++) await this.out(3 + i, Math.floor((lba ?? 0) / 2 ** (24 + 8 * i)) % 256);
    }
    if (features !== undefined) await this.out(1, features & 0xff);
    if (count !== undefined) await this.out(2, count & 0xff);
    if (lba !== undefined) { for (let i = 0; i < 3; i++) await this.out(3 + i, Math.floor(lba / 2 ** (8 * i)) % 256); }
    await this.out(7, command);
  }

  /** A command without data: logs the registers at its end, and status after the interrupt was taken. */
  async plain(label: string, command: number, file: Taskfile = {}): Promise<void> {
    await this.issue(command, file);
    await this.idle();
    const registers = await this.registers();
    const status = await this.in(7);
    this.log(`${label}: ${registers} then ${hex(status)} irq=${await this.bus.interruptLevel(this.line)}`);
  }

  /** Reads one PIO block of `length` bytes, if the drive has data; logs both. */
  async dataIn(label: string, length = 512): Promise<Uint8Array | undefined> {
    await this.idle();
    const registers = await this.registers();
    if (!((await this.in(7)) & 0x08)) return void this.log(`${label}: ${registers} no data`);
    const bytes = new Uint8Array(length);
    await this.bus.ins16(this.base, bytes);
    await this.idle();
    this.log(`${label}: ${registers} data ${dump(bytes)} then ${await this.registers()}`);
    return bytes;
  }

  /** Writes one PIO block. */
  async dataOut(label: string, bytes: Uint8Array): Promise<void> {
    await this.idle();
    const registers = await this.registers();
    if (!((await this.in(7)) & 0x08)) return void this.log(`${label}: ${registers} wants no data`);
    await this.bus.outs16(this.base, bytes);
    await this.idle();
    this.log(`${label}: ${registers} sent, then ${await this.registers()}`);
  }

  /** A packet command by PIO; logs each block and the end. */
  async packet(label: string, cdb: readonly number[], limit = 0xfffe, device = 0xa0): Promise<Uint8Array> {
    await this.out(6, device);
    await this.out(1, 0);
    await this.out(4, limit & 0xff);
    await this.out(5, limit >> 8);
    await this.out(7, 0xa0);
    await this.idle();
    const command = new Uint8Array(12);
    command.set(cdb);
    await this.bus.outs16(this.base, command);
    let text = `${label}:`;
    const blocks: Uint8Array[] = [];
    for (let block = 0; block < 100; block++) {
      const status = await this.idle();
      const registers = await this.registers();
      await this.in(7);
      if (!(status & 0x08)) {
        this.log(`${text} end ${registers}`);
        break;
      }
      const bytes = new Uint8Array(await this.in(4) | await this.in(5) << 8);
      await this.bus.ins16(this.base, bytes);
      blocks.push(bytes);
      text += ` [${registers}] ${dump(bytes)}`;
    }
    const all = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0));
    let at = 0;
    for (const block of blocks) {
      all.set(block, at);
      at += block.length;
    }
    return all;
  }

  /** REQUEST SENSE, in short. */
  async sense(label = "sense"): Promise<void> {
    const probe = new Probe(this.bus, this.line === 14 ? 0 : 1);
    const data = await probe.packet("", [3, 0, 0, 0, 18]);
    this.log(`${label}: key ${hex(data[2] ?? 0)} asc ${hex(data[12] ?? 0)} ascq ${hex(data[13] ?? 0)}`);
  }
}
