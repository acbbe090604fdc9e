/**
 * How `moa io` opens an image: the letters that its command line and its `open` have in common.
 *
 * @module
 */
import { type CacheMode, cacheMode, type OptionTree } from "../../block/mod.ts";
import type { IoCall } from "../../monitor/io/mod.ts";

/** How an image is opened. */
export interface OpenHow {
  readonly readOnly: boolean;
  readonly snapshot: boolean;
  readonly copyOnRead: boolean;
  readonly forceShare: boolean;
  readonly cache: CacheMode;
  readonly discard: boolean;
  readonly aio: Aio | undefined;
  readonly options: OptionTree;
}

/** Engines of files. */
export type Aio = "threads" | "native" | "io_uring";

const AIO: readonly string[] = ["threads", "native", "io_uring"];

/** A text that the program puts its name before; the command or the program ends. */
export class OpenRefusal extends Error {
  override readonly name = "OpenRefusal";
}

/** Options by the letters that the command line and `open` share. @throws {OpenRefusal} in QEMU's words. */
export function readHow(
  letters: readonly { readonly is: string; readonly value: string }[],
  options: OptionTree,
): OpenHow {
  let cache = cacheMode("writeback")!;
  let discard = true;
  let aio: Aio | undefined;
  for (const { is, value } of letters) {
    if (is === "n") cache = { ...cache, direct: true };
    if (is === "k") aio = "native";
    if (is === "t") {
      const mode = cacheMode(value);
      if (mode === undefined) throw new OpenRefusal(`Invalid cache option: ${value}`);
      cache = mode;
    }
    if (is === "d") {
      if (!["ignore", "off", "unmap", "on"].includes(value)) throw new OpenRefusal(`Invalid discard option: ${value}`);
      discard = value === "unmap" || value === "on";
    }
    if (is === "i") {
      if (!AIO.includes(value)) throw new OpenRefusal(`Invalid aio option: ${value}`);
      aio = value as Aio;
    }
  }
  const has = (letter: string) => letters.some(({ is }) => is === letter);
  return {
    readOnly: has("r"),
    snapshot: has("s"),
    copyOnRead: has("C"),
    forceShare: has("U"),
    cache,
    discard,
    aio,
    options,
  };
}

/** The letters of a command, as {@link readHow} takes them. */
export function lettersOf(call: IoCall): { is: string; value: string }[] {
  return call.letters.map((is) => ({ is, value: call.value(is) ?? "" }));
}
