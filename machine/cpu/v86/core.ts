/**
 * One instance of the v86 core: a CPU with its interrupt controllers and RAM, and what it calls outside.
 *
 * The core runs inside {@link Core.run} only, synchronously, for about a millisecond at a time. Ports and registers in
 * memory are looked up in the machine's address spaces from within that call.
 *
 * Three of its rules shape this file. An interrupt must not be delivered in the middle of a memory access, since
 * compiled code keeps registers to itself then: it is made to wait for the end of the slice, which comes at once. What
 * was compiled is reported while the core's own lock is held, so it is answered later. Disk requests hold views of guest
 * RAM, so linear memory has its size from the start, and the core asks which part of it may be used.
 *
 * Guest code is compiled on the spot, half a millisecond a block: the core compiles one at a time and interprets
 * meanwhile, so that a block which waits for its turn on the host's threads costs far more. It is also what makes a run
 * with a counter of instructions repeatable.
 *
 * Left out, because the core has none of it: 64-bit mode, more than one CPU, SMM, NMI, single steps, write protection of
 * what lies from C0000 to FFFFF.
 *
 * Source: the interface of v86 0.5.462 as found by experiment.
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import type { AddressSpace, PortSpace } from "../../../devices/bus/mod.ts";
import { BlockCode } from "./blocks/block_code.ts";
import { WASM_PAGE_BYTES } from "./fixed_memory.ts";
import { ApicAt, At, INTERRUPT_FLAG, JitSetting, TABLE_BLOCKS, TABLE_OFFSET, TIMER_PERIODIC } from "./layout.ts";
import { compileCore, type CoreExports, type CoreModule } from "./module.ts";

/** What a core is connected to. */
export interface CoreWiring {
  /** Virtual time in milliseconds: time stamp counter and local APIC's timer go by it. */
  nowMs(): number;
  /** Lets timers fire; milliseconds to the next, `Infinity` where none is set. */
  runTimers(): number;
  /** An interrupt has ended HLT. */
  woken(): void;
  /** A whole number below 2^32, for RDRAND. */
  random(): number;
  /** The core's last words. */
  complain(text: string): void;
}

/** Where ports and memory outside RAM are. */
export interface CoreBus {
  readonly ports: PortSpace;
  readonly memory: AddressSpace;
}

/** How much the core may take for itself before what it has compiled is dropped; Linux and its programs need 2 MiB. */
const HEAP_PAGES = (64 << 20) / WASM_PAGE_BYTES;

/** How many equal answers of one port make a guest one that waits, and waits for what happens outside the slice. */
const POLLS_BEFORE_YIELD = 16;

/**
 * What the core compiles together: from how many pages of code, and up to how many blocks that few jumps lead to. Its own
 * values (3 and 250) make units so large that the host's compiler takes tens of milliseconds to improve one; these halve
 * that, and guests run 10 to 30 % faster.
 */
const UNIT_PAGES = 1;
const UNIT_EXTRA_BLOCKS = 60;

/** A port above it is a request for that many bytes of memory: `corrections.ts`. */
const LAST_PORT = 0xffff;

/** What the core tells while it compiles. */
interface Compiled {
  readonly index: number;
  readonly start: number;
  readonly flags: number;
}

/** The core. */
export class Core {
  readonly exports: CoreExports;
  readonly ramBytes: number;
  /** Guest RAM itself. */
  readonly ram: Uint8Array<ArrayBuffer>;
  /** All of linear memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Int32Array<ArrayBuffer>;
  /** How much of it the core uses. */
  #usedPages: number;
  /** How much that may be before {@link Core.run} makes room in it. */
  #mostPages: number;
  readonly #wiring: CoreWiring;
  readonly #table = new WebAssembly.Table({ element: "anyfunc", initial: TABLE_OFFSET + TABLE_BLOCKS });
  readonly #blockCode: BlockCode;
  /** What compiled blocks import: memory, and what the interpreter is made of. */
  readonly #blockImports: { readonly e: WebAssembly.ModuleImports } = { e: Object.create(null) };
  #bus: CoreBus | undefined;
  #compiled: Compiled[] = [];
  #inside = false;
  #inMemoryAccess = false;
  #leaving = false;
  #isBroken = false;
  /** How often the guest has turned to a device. */
  exits = 0;
  #polledPort = -1;
  #polledValue = 0;
  #polls = 0;

  /** @throws RangeError where there is no memory for that much RAM */
  constructor(module: CoreModule, wiring: CoreWiring, ramBytes: number) {
    this.#wiring = wiring;
    this.ramBytes = ramBytes;
    this.#usedPages = module.ownPages;
    this.#mostPages = Infinity;
    const instance = new WebAssembly.Instance(compileCore(module, ramBytes), { env: this.#imports() });
    // The list of imports was compared, so these are the exports of that version.
    const exports: unknown = instance.exports;
    this.exports = exports as CoreExports;
    for (const [name, value] of Object.entries(instance.exports)) {
      if (!/^_|^zstd|_js$/.test(name)) this.#blockImports.e[name] = value;
    }
    this.#blockImports.e.m = this.exports.memory;
    const buffer = this.exports.memory.buffer;
    assert(buffer instanceof ArrayBuffer, "memory that is not shared");
    this.bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#blockCode = new BlockCode(buffer.byteLength / WASM_PAGE_BYTES);
    this.exports.rust_init();
    this.exports.set_jit_config(JitSetting.pages, UNIT_PAGES);
    this.exports.set_jit_config(JitSetting.extraBlocks, UNIT_EXTRA_BLOCKS);
    this.#word(At.ramBytes, ramBytes);
    this.ram = new Uint8Array(buffer, this.#allocate(ramBytes), ramBytes);
    this.#mostPages = this.#usedPages + HEAP_PAGES;
    this.#byte(At.apicPresent, 1);
    this.exports.reset_cpu();
  }

  /** How much of linear memory the core uses, RAM included. */
  get usedBytes(): number {
    return this.#usedPages * WASM_PAGE_BYTES;
  }

  /** How much of what was compiled so far was made better. */
  get better(): { readonly accesses: number; readonly lookups: number } {
    return this.#blockCode;
  }

  /** Connects ports and memory. */
  attach(bus: CoreBus): void {
    assert(this.#bus === undefined, "a core serves one machine");
    this.#bus = bus;
  }

  /** 32 bits of the CPU's state. */
  word(at: number): number {
    return this.#words[at >> 2]!;
  }

  /** Whether the CPU waits for an interrupt. */
  get halted(): boolean {
    return this.bytes[At.inHlt] !== 0;
  }

  /** Whether the local APIC's timer is set to fire once. */
  get timerIsOneShot(): boolean {
    return (this.word(this.exports.get_apic_addr() + ApicAt.timer) & TIMER_PERIODIC) === 0;
  }

  /** Instructions so far, modulo 2^32. */
  get instructions(): number {
    return this.#words[At.instructionCounter >> 2]! >>> 0;
  }

  /**
   * Runs for about a millisecond or to HLT; for how many milliseconds it has nothing to do then.
   *
   * @throws what broke it: a panic of the core as a `WebAssembly.RuntimeError`, or what a device threw. After that the
   * core only shows what was left; nothing runs, and nothing that it is told has effect.
   */
  run(): number {
    assert(!this.#isBroken, "the core is broken");
    this.#inside = true;
    this.#leaving = false;
    this.#polledPort = -1;
    this.#bound();
    try {
      const idleMs = this.exports.main_loop();
      if (!this.#leaving) return idleMs;
      this.#byte(At.inHlt, 0);
      return 0;
    } catch (error) {
      this.#isBroken = true;
      throw error;
    } finally {
      this.#inside = false;
      this.#inMemoryAccess = false;
    }
  }

  /**
   * What the core remembers of each place that was jumped to is without bounds, and what it once used it keeps: where that
   * is much, all that it remembers is dropped.
   */
  #bound(): void {
    if (this.#usedPages <= this.#mostPages || this.#compiled.length > 0) return;
    this.exports.jit_clear_cache_js();
    this.#mostPages = this.#usedPages;
  }

  /** Ends the slice that is running after the current instruction or compiled block. */
  leave(): void {
    if (!this.#inside || this.#leaving || this.halted) return;
    // As if the guest had executed HLT: that is what the core's loop looks at.
    this.#leaving = true;
    this.#byte(At.inHlt, 1);
  }

  get inside(): boolean {
    return this.#inside;
  }

  /** Whether it has panicked: its locks are held for ever then, and only a new core helps. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Drives a line of the interrupt controllers. Ask for 0 to 15, or 16 to 23 of the I/O APIC. */
  drive(line: number, level: 0 | 1): void {
    this.#withoutDelivery(() => {
      if (level === 1) this.exports.device_raise_irq(line);
      else this.exports.device_lower_irq(line);
    });
  }

  /** Makes the interrupt `vector` pending in the local APIC. */
  pend(vector: number): void {
    this.#withoutDelivery(() => {
      const at = this.exports.get_apic_addr() + 64 + 4 * (vector >> 5);
      this.#word(at, this.word(at) | 1 << (vector & 31));
      this.exports.handle_irqs();
    });
  }

  /** Says that RAM was written from outside: what was compiled from it is void. */
  changed(address: number, lengthBytes: number): void {
    if (lengthBytes > 0 && !this.#isBroken) this.exports.jit_dirty_cache(address, address + lengthBytes);
  }

  /** Nothing is delivered while a memory access goes on; the end of the slice does it, soon. */
  #withoutDelivery(work: () => void): void {
    if (this.#isBroken) return;
    if (!this.#inMemoryAccess) return work();
    const flags = this.word(At.flags);
    this.#word(At.flags, flags & ~INTERRUPT_FLAG);
    work();
    this.#word(At.flags, flags);
    this.leave();
  }

  /** The first page of as many bytes that were not used yet; -1 where there are not so many. */
  #useMore(sizeBytes: number): number {
    const first = this.#usedPages;
    const next = first + Math.ceil(sizeBytes / WASM_PAGE_BYTES);
    if (next * WASM_PAGE_BYTES > this.exports.memory.buffer.byteLength) return -1;
    this.#usedPages = next;
    return first;
  }

  #allocate(sizeBytes: number): number {
    const address = this.exports.allocate_memory(sizeBytes) >>> 0;
    if (address === 0) throw new RangeError(`no memory for ${sizeBytes} bytes of guest RAM`);
    return address;
  }

  #word(at: number, value: number): void {
    this.#words[at >> 2] = value;
  }

  #byte(at: number, value: number): void {
    this.bytes[at] = value;
  }

  #imports(): WebAssembly.ModuleImports {
    const wiring = this.#wiring;
    return {
      __indirect_function_table: this.#table,
      microtick: () => wiring.nowMs(),
      run_hardware_timers: (_apic: number, nowMs: number) => this.#timers(nowMs),
      cpu_event_halt: () => {},
      stop_idling: () => wiring.woken(),
      get_rand_int: () => wiring.random() | 0,
      jit_clear_func: (index: number) => this.#table.set(TABLE_OFFSET + index, null),
      codegen_finalize: (index: number, start: number, flags: number, at: number, length: number) =>
        this.#compile({ index, start, flags }, at >>> 0, length >>> 0),
      console_log_from_wasm: (at: number, length: number) =>
        wiring.complain(new TextDecoder().decode(this.bytes.slice(at >>> 0, (at >>> 0) + (length >>> 0)))),
      ...this.#portImports(),
      ...this.#memoryImports(),
    };
  }

  #portImports(): WebAssembly.ModuleImports {
    const read = (port: number, size: number) => {
      this.exits++;
      return this.#watched(port, this.#bus!.ports.readValue(port, size));
    };
    const write = (port: number, size: number, value: number) => {
      this.exits++;
      this.#bus!.ports.writeValue(port, size, value);
    };
    return {
      io_port_read8: (port: number) => read(port, 1),
      io_port_read16: (port: number) => read(port, 2),
      io_port_read32: (port: number) => port >>> 0 > LAST_PORT ? this.#useMore(port >>> 0) : read(port, 4),
      io_port_write8: (port: number, value: number) => write(port, 1, value & 0xff),
      io_port_write16: (port: number, value: number) => write(port, 2, value & 0xffff),
      io_port_write32: (port: number, value: number) => write(port, 4, value >>> 0),
    };
  }

  /** Addresses arrive signed; a read of two bytes arrives as two of one. */
  #memoryImports(): WebAssembly.ModuleImports {
    const read = (address: number, size: number) => {
      this.exits++;
      const nested = this.#inMemoryAccess;
      this.#inMemoryAccess = true;
      const value = this.#bus!.memory.readValue(address >>> 0, size);
      this.#inMemoryAccess = nested;
      return value;
    };
    const write = (address: number, size: number, value: number) => {
      this.exits++;
      const nested = this.#inMemoryAccess;
      this.#inMemoryAccess = true;
      this.#bus!.memory.writeValue(address >>> 0, size, value);
      this.#inMemoryAccess = nested;
    };
    const words = (address: number, ...values: number[]) => {
      for (const [index, value] of values.entries()) write(address + 4 * index, 4, value >>> 0);
    };
    return {
      mmap_read8: (address: number) => read(address, 1),
      mmap_read32: (address: number) => read(address, 4),
      mmap_write8: (address: number, value: number) => write(address, 1, value & 0xff),
      mmap_write16: (address: number, value: number) => write(address, 2, value & 0xffff),
      mmap_write32: (address: number, value: number) => write(address, 4, value >>> 0),
      mmap_write64: words,
      mmap_write128: words,
    };
  }

  /** A guest that reads the same from one port again and again waits for something: others get their turn. */
  #watched(port: number, value: number): number {
    if (port !== this.#polledPort || value !== this.#polledValue) {
      this.#polledPort = port;
      this.#polledValue = value;
      this.#polls = 0;
    } else if (++this.#polls >= POLLS_BEFORE_YIELD) {
      this.#polls = 0;
      this.leave();
    }
    return value;
  }

  #timers(nowMs: number): number {
    for (const { index, start, flags } of this.#compiled.splice(0)) {
      this.exports.codegen_finalize_finished(index, start, flags);
    }
    const nextMs = this.#wiring.runTimers();
    return Math.min(nextMs, this.exports.apic_timer(nowMs));
  }

  #compile(block: Compiled, at: number, lengthBytes: number): void {
    const code = this.#blockCode.improve(this.bytes.subarray(at, at + lengthBytes));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code), this.#blockImports);
    const { f } = instance.exports;
    assert(typeof f === "function", "a compiled block exports f");
    this.#table.set(TABLE_OFFSET + block.index, f);
    this.#compiled.push(block);
  }
}
