/**
 * What a node takes from its parent where its own options say nothing.
 *
 * @module
 */
import type { OptionTree } from "./options/tree.ts";

/** Flags that go down the tree. */
export interface Inherited {
  readonly readOnly: boolean;
  readonly autoReadOnly: boolean;
  readonly forceShare: boolean;
  readonly direct: boolean;
  readonly noFlush: boolean;
  readonly discard: boolean;
  /** Opened while another program still has it (activity.ts). */
  readonly inactive: boolean;
  /** The engine of files, as `-drive aio=` has it for a whole tree. */
  readonly aio?: string | undefined;
}

/** A node with no parent and no options. */
export const TOP_FLAGS: Inherited = {
  readOnly: false,
  autoReadOnly: false,
  forceShare: false,
  direct: false,
  noFlush: false,
  discard: false,
  inactive: false,
};

/** The flags of a node with these (typed) options. */
export function flagsOf(options: OptionTree, inherited: Inherited): Inherited {
  const cache = (options["cache"] ?? {}) as { direct?: boolean; "no-flush"?: boolean };
  const bool = (name: string, otherwise: boolean) => (options[name] as boolean | undefined) ?? otherwise;
  return {
    readOnly: bool("read-only", inherited.readOnly),
    autoReadOnly: bool("auto-read-only", inherited.autoReadOnly),
    forceShare: bool("force-share", inherited.forceShare),
    direct: cache.direct ?? inherited.direct,
    noFlush: cache["no-flush"] ?? inherited.noFlush,
    discard: options["discard"] === undefined ? inherited.discard : options["discard"] === "unmap",
    inactive: !bool("active", !inherited.inactive),
    aio: inherited.aio,
  };
}

/** What a child in `role` starts from. */
export function childFlags(role: string, parent: Inherited, readOnly?: boolean): Inherited {
  const copied = role === "backing";
  return {
    ...parent,
    readOnly: readOnly ?? (copied || parent.readOnly),
    autoReadOnly: copied ? false : parent.autoReadOnly,
    // Formats send discards and flushes down with care, so that what lies below them may always pass them on.
    discard: true,
  };
}
