/**
 * What the core has compiled of the guest's code, made better before the host's compiler gets it.
 *
 * - Memory is declared with the one size that it has: checks against its bounds become one comparison with a number that
 *   stays, where its place and size were read again after each call.
 * - Accesses to guest memory are shorter (`accesses.ts`), and a hint says that their fast way is nearly always taken: what
 *   is slow is compiled out of the way, and registers need not be saved for it.
 * - Where to go on after a return is looked up in place (`lookups.ts`).
 *
 * What does not look like the core's stays as it is: blocks mean the same with and without.
 *
 * Source: [WebAssembly 2.0] 5.5 "Modules"; [Branch Hinting] "Branch Hints Section".
 *
 * @module
 */
import { numberBytes } from "../wasm_numbers.ts";
import { nextAccess, putAccess } from "./accesses.ts";
import { LOOKUP_NAME, nextLookup, putLookup } from "./lookups.ts";
import { Output } from "./output.ts";
import { ANY_MEMORY, importedFunction, type Parts, partsOf, Section } from "./parts.ts";

const HINTS_NAME = new TextEncoder().encode("metadata.code.branch_hint");
/** The end of a memory's import with both limits, which follow. */
const MEMORY_WITH_BOTH = [2, 1];
/** One local of 32 bits. */
const SPARE_LOCAL = [1, 0x7f];

/** Makes blocks better that work on a memory of one size. */
export class BlockCode {
  readonly #memoryLimits: readonly number[];
  readonly #body = new Output();
  readonly #hints = new Output();
  readonly #whole = new Output();
  #hintCount = 0;
  /** How many accesses and lookups were made better so far. */
  accesses = 0;
  lookups = 0;

  constructor(memoryPages: number) {
    const size = numberBytes(memoryPages);
    this.#memoryLimits = [...MEMORY_WITH_BOTH, ...size, ...size];
  }

  /** `module`, or a better one that means the same; good until the next call. */
  improve(module: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const parts = partsOf(module);
    if (parts === undefined) return module;
    this.#improveBody(module, parts);
    return this.#assemble(module, parts);
  }

  #improveBody(module: Uint8Array, parts: Parts): void {
    const out = this.#body;
    out.clear();
    this.#hints.clear();
    this.#hintCount = 0;
    out.push([parts.localGroups + 1]);
    out.copy(module, parts.body + 1, parts.instructions);
    out.push(SPARE_LOCAL);
    const called = importedFunction(module, parts, LOOKUP_NAME);
    let copied = parts.instructions;
    let access = nextAccess(module, copied);
    let lookup = nextLookup(module, copied, called);
    while (access !== undefined || lookup !== undefined) {
      if (lookup === undefined || (access !== undefined && access.at < lookup.at)) {
        out.copy(module, copied, access!.at);
        putAccess(out, module, access!);
        copied = access!.end;
        this.#hint(out.length + access!.branch - access!.end);
        access = nextAccess(module, copied);
      } else {
        out.copy(module, copied, lookup.at);
        putLookup(out, module, lookup, parts.locals);
        copied = lookup.end;
        this.lookups++;
        lookup = nextLookup(module, copied, called);
      }
    }
    out.copy(module, copied, parts.bodyEnd);
  }

  /** The branch at `offset` of the body is nearly always taken. */
  #hint(offset: number): void {
    this.accesses++;
    this.#hintCount++;
    this.#hints.pushNumber(offset);
    this.#hints.push([1, 1]);
  }

  #assemble(module: Uint8Array, parts: Parts): Uint8Array<ArrayBuffer> {
    const whole = this.#whole;
    whole.clear();
    whole.copy(module, 0, parts.imports);
    whole.push([Section.import]);
    const listEnd = parts.importsEnd - ANY_MEMORY.length;
    whole.pushNumber(listEnd - parts.importList + this.#memoryLimits.length);
    whole.copy(module, parts.importList, listEnd);
    whole.push(this.#memoryLimits);
    whole.copy(module, parts.importsEnd, parts.code);
    if (this.#hintCount > 0) {
      const ofOne = [1, ...numberBytes(parts.functions), ...numberBytes(this.#hintCount)];
      whole.push([Section.custom]);
      whole.pushNumber(1 + HINTS_NAME.length + ofOne.length + this.#hints.length);
      whole.push([HINTS_NAME.length, ...HINTS_NAME, ...ofOne]);
      whole.append(this.#hints);
    }
    const bodySize = numberBytes(this.#body.length);
    whole.push([Section.code]);
    whole.pushNumber(1 + bodySize.length + this.#body.length);
    whole.push([1, ...bodySize]);
    whole.append(this.#body);
    return whole.bytes;
  }
}
