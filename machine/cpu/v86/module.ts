/**
 * The WebAssembly module of npm's `v86`: where it is, what it must look like, what it exports.
 *
 * Nothing of the package's JavaScript is used. Its interface is promised by nobody, so the version is pinned and the
 * list of imports is compared when it is loaded.
 *
 * Licences: BSD-2-Clause (the v86 contributors); inside the module Berkeley SoftFloat (BSD-3-Clause) and zstd
 * (BSD-3-Clause). The notices are in `LICENCES.md` beside this file.
 *
 * @module
 */
import { createRequire } from "node:module";
import { MachineError } from "../../errors.ts";
import { correct } from "./corrections.ts";
import { VERSION } from "./layout.ts";
import { minimumPages, WASM_PAGE_BYTES, withFixedMemory } from "./fixed_memory.ts";

/** What the module wants of its host, all from `env`. */
const IMPORTS = [
  "__indirect_function_table codegen_finalize console_log_from_wasm cpu_event_halt get_rand_int io_port_read16",
  "io_port_read32 io_port_read8 io_port_write16 io_port_write32 io_port_write8 jit_clear_func microtick mmap_read32",
  "mmap_read8 mmap_write128 mmap_write16 mmap_write32 mmap_write64 mmap_write8 run_hardware_timers stop_idling",
].join(" ");

/** What of the module's exports is called from here. */
export interface CoreExports {
  readonly memory: WebAssembly.Memory;
  rust_init(): void;
  /** Makes guest RAM; its address, or 0. */
  allocate_memory(sizeBytes: number): number;
  v86_malloc(sizeBytes: number): number;
  v86_free(address: number): void;
  reset_cpu(): void;
  /** Runs for about a millisecond or to HLT; how many milliseconds it may rest then. */
  main_loop(): number;
  device_raise_irq(line: number): void;
  device_lower_irq(line: number): void;
  handle_irqs(): void;
  /** Lets the local APIC's timer fire; milliseconds to its next time. */
  apic_timer(nowMs: number): number;
  jit_dirty_cache(start: number, end: number): void;
  jit_clear_cache_js(): void;
  set_jit_config(setting: number, value: number): void;
  codegen_finalize_finished(index: number, start: number, flags: number): void;
  set_tsc(low: number, high: number): void;
  store_current_tsc(): void;
  update_state_flags(): void;
  full_clear_tlb(): void;
  get_eflags(): number;
  get_pic_addr_master(): number;
  get_pic_addr_slave(): number;
  get_apic_addr(): number;
  get_ioapic_addr(): number;
}

/**
 * What a core may need beside RAM: what it remembers of the code that runs, until all of that is dropped, and as much
 * again as may come before it can be. Only what it uses takes memory.
 */
const HEAP_BYTES = 256 << 20;

/** The module as it was loaded, for RAM of any size. */
export interface CoreModule {
  readonly bytes: Uint8Array;
  /** What of memory it uses from its start. */
  readonly ownPages: number;
}

/** Loads the module. @throws {MachineError} where it is not to be had, or is another */
export async function loadCoreModule(): Promise<CoreModule> {
  const bytes = await readModule();
  correct(bytes);
  return { bytes, ownPages: minimumPages(bytes) };
}

/** Compiles it for that much RAM. @throws {MachineError} where it wants another host */
export function compileCore({ bytes, ownPages }: CoreModule, ramBytes: number): WebAssembly.Module {
  const pages = ownPages + Math.ceil((ramBytes + HEAP_BYTES) / WASM_PAGE_BYTES);
  const module = new WebAssembly.Module(withFixedMemory(bytes, pages));
  const wanted = WebAssembly.Module.imports(module).map(({ module: from, name }) =>
    from === "env" ? name : `${from}.*`
  );
  if (wanted.sort().join(" ") !== IMPORTS) {
    throw new MachineError(`the CPU core is not v86 ${VERSION}: it imports ${wanted.join(" ")}`);
  }
  return module;
}

async function readModule(): Promise<Uint8Array<ArrayBuffer>> {
  const here = import.meta.url;
  try {
    if (!here.endsWith("/machine/cpu/v86/module.ts")) {
      return await Deno.readFile(new URL("./assets/v86.wasm", here));
    }
    // This import is what makes Deno fetch the package.
    const { default: about } = await import("v86/package.json", { with: { type: "json" } });
    if (!String(about.version).startsWith(VERSION)) {
      throw new MachineError(`npm:v86 is ${about.version}, not ${VERSION}`);
    }
    return await Deno.readFile(createRequire(here).resolve("v86/build/v86.wasm"));
  } catch (error) {
    if (error instanceof MachineError) throw error;
    throw new MachineError(`cannot load the CPU core, npm:v86@${VERSION}: ${(error as Error).message}`);
  }
}
