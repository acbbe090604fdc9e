/**
 * `vm.info`: what the prompt's `info` shows, as data.
 *
 * @module
 */
import type { Commands } from "../commands/mod.ts";
import type { ArgumentValues } from "../schema/arguments.ts";
import type { ResultOf } from "../schema/command.ts";

/** Runs a command by name. */
type Execute = <Name extends keyof Commands>(
  name: Name,
  values: ArgumentValues<Commands[Name]["arguments"]>,
) => Promise<ResultOf<Commands[Name]>>;

type Answer<Name extends keyof Commands> = Promise<ResultOf<Commands[Name]>>;

/** A method for each subject of `info`. */
export class VmInfo {
  readonly #execute: Execute;

  constructor(execute: Execute) {
    this.#execute = execute;
  }

  /** Drives, or nodes by name; `verbose` describes their images. */
  block(options: { readonly nodes?: boolean; readonly verbose?: boolean; readonly device?: string } = {}): Answer<
    "query-block"
  > {
    return this.#execute("query-block", options);
  }

  blockstats(): Answer<"query-blockstats"> {
    return this.#execute("query-blockstats", {});
  }

  snapshots(): Answer<"query-snapshots"> {
    return this.#execute("query-snapshots", {});
  }

  status(): Answer<"query-status"> {
    return this.#execute("query-status", {});
  }

  version(): Answer<"query-version"> {
    return this.#execute("query-version", {});
  }

  name(): Answer<"query-name"> {
    return this.#execute("query-name", {});
  }

  uuid(): Answer<"query-uuid"> {
    return this.#execute("query-uuid", {});
  }

  pci(): Answer<"query-pci"> {
    return this.#execute("query-pci", {});
  }

  qtree(): Answer<"query-qtree"> {
    return this.#execute("query-qtree", {});
  }

  /** Firmware, option ROMs and tables: what is not on disks. */
  roms(): Answer<"query-roms"> {
    return this.#execute("query-roms", {});
  }

  mtree(options: { readonly disabled?: boolean } = {}): Answer<"query-mtree"> {
    return this.#execute("query-mtree", options);
  }

  registers(): Answer<"query-registers"> {
    return this.#execute("query-registers", {});
  }

  /** The 8259s and the I/O APIC, the CPU's own where it brings them. */
  pic(): Answer<"query-pic"> {
    return this.#execute("query-pic", {});
  }

  lapic(): Answer<"query-lapic"> {
    return this.#execute("query-lapic", {});
  }

  /** How often each interrupt line has risen. */
  irq(): Answer<"query-irq"> {
    return this.#execute("query-irq", {});
  }

  /** What the guest's page tables map, page by page; `undefined` without paging. */
  tlb(): Answer<"query-tlb"> {
    return this.#execute("query-tlb", {});
  }

  /** The same as ranges that may be used alike. */
  mem(): Answer<"query-mem"> {
    return this.#execute("query-mem", {});
  }

  /** Trace events by name or pattern. */
  traceEvents(pattern?: string): Answer<"query-trace-events"> {
    return this.#execute("query-trace-events", { name: pattern });
  }
}
