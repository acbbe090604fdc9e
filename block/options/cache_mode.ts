/**
 * QEMU's cache modes: three switches under one word.
 *
 * | mode | guest's write cache | bypass the host's cache | flushes left out |
 * | --- | --- | --- | --- |
 * | writeback | on | off | off |
 * | none, off | on | on | off |
 * | writethrough | off | off | off |
 * | directsync | off | on | off |
 * | unsafe | on | off | on |
 *
 * @module
 */

/** What a cache mode stands for. */
export interface CacheMode {
  /** The guest sees a write cache and flushes it itself. */
  readonly writeback: boolean;
  readonly direct: boolean;
  readonly noFlush: boolean;
}

const MODES: Readonly<Record<string, CacheMode>> = {
  writeback: { writeback: true, direct: false, noFlush: false },
  none: { writeback: true, direct: true, noFlush: false },
  off: { writeback: true, direct: true, noFlush: false },
  writethrough: { writeback: false, direct: false, noFlush: false },
  directsync: { writeback: false, direct: true, noFlush: false },
  unsafe: { writeback: true, direct: false, noFlush: true },
};

/** The mode of a name; `undefined` for none of QEMU's. */
export function cacheMode(name: string): CacheMode | undefined {
  return Object.hasOwn(MODES, name) ? MODES[name] : undefined;
}

/** The words of `info block`'s "Cache mode:" line: `"writeback, direct"`. */
export function cacheModeText(mode: CacheMode): string {
  const first = mode.writeback ? "writeback" : "writethrough";
  return `${first}${mode.direct ? ", direct" : ""}${mode.noFlush ? ", ignore flushes" : ""}`;
}
