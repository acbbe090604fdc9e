/**
 * What address spaces really see, without overlaps: `info mtree -f`.
 *
 * @module
 */
import type { AddressSpace, FlatRange } from "../../devices/bus/mod.ts";
import type { Machine } from "../../machine/mod.ts";

/** Address spaces that see the same. */
export interface FlatView {
  readonly spaces: readonly { readonly name: string; readonly root: string }[];
  /** The region that is seen; `undefined` where nothing is. */
  readonly root: string | undefined;
  readonly ranges: readonly FlatRange[];
}

/** All views: one for each root that shows something, and one for all that show nothing. */
export function flatViews(machine: Machine): FlatView[] {
  const groups = new Map<unknown, AddressSpace[]>();
  for (const space of machine.addressSpaces) {
    const key = space.ranges.length === 0 ? undefined : space.root;
    groups.set(key, [...(groups.get(key) ?? []), space]);
  }
  return [...groups].map(([root, spaces]) => ({
    spaces: spaces.map(({ name, root }) => ({ name, root: root.name })).sort((a, b) => a.name < b.name ? -1 : 1),
    root: root === undefined ? undefined : spaces[0]!.root.name,
    ranges: root === undefined ? [] : spaces[0]!.ranges,
  }));
}

/** The view as text, an empty line at its end. */
export function flatViewText(view: FlatView, number: number): string {
  const lines = [
    `FlatView #${number}`,
    ...view.spaces.map(({ name, root }) => ` AS "${name}", root: ${root}`),
    ` Root memory region: ${view.root ?? "(none)"}`,
    ...(view.ranges.length === 0 ? ["  No rendered FlatView"] : view.ranges.map(rangeLine)),
  ];
  return `${lines.join("\n")}\n\n`;
}

function rangeLine({ start, end, region, offset, readonly, ram }: FlatRange): string {
  const kind = ram === undefined ? "i/o" : readonly ? "rom" : "ram";
  const inside = offset === 0 ? "" : ` @${hex(offset)}`;
  return `  ${hex(start)}-${hex(end - 1)} (prio ${region.priority}, ${kind}): ${region.name}${inside}`;
}

function hex(value: number): string {
  return value.toString(16).padStart(16, "0");
}
