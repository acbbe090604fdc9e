/**
 * The block graph as a tree of text; what is used twice is drawn once and named again.
 *
 * @module
 */
import { formatSize } from "../../base/sizes.ts";
import type { GraphBox, GraphDrawing, GraphLine } from "../commands/graph.ts";

/** All of it, each tree from a user that nobody uses. */
export function graphText({ boxes, lines }: GraphDrawing): string {
  if (boxes.length === 0) return "There are no drives and no nodes\n";
  const drawn = new Set<number>();
  const used = new Set(lines.map(({ to }) => to));
  const out: string[] = [];
  const below = (id: number, indent: string) => {
    const own = lines.filter(({ from }) => from === id);
    own.forEach((line, index) => {
      const isLast = index === own.length - 1;
      const box = boxes[line.to]!;
      const again = drawn.has(box.id);
      out.push(`${indent}${isLast ? "└─" : "├─"} ${line.role}: ${title(box)}${again ? ", above" : ""}`);
      const next = `${indent}${isLast ? "   " : "│  "}`;
      out.push(`${next}${permissions(line)}`);
      if (again) return;
      drawn.add(box.id);
      below(box.id, next);
    });
  };
  for (const box of boxes) {
    if (used.has(box.id)) continue;
    out.push(title(box));
    drawn.add(box.id);
    below(box.id, "");
  }
  return out.map((line) => `${line.trimEnd()}\n`).join("");
}

function title(box: GraphBox): string {
  const size = box.sizeBytes === undefined ? "" : `, ${formatSize(box.sizeBytes)}`;
  const readOnly = box.readOnly ? ", read-only" : "";
  switch (box.kind) {
    case "drive":
      return `${box.name || "a drive"} (${box.type})${box.sizeBytes === undefined ? ", empty" : ""}${readOnly}`;
    case "user":
      return `${box.name} (${box.type})`;
    case "node":
      return `${box.name} (${box.type}) ${box.filename}${size}${readOnly}`;
  }
}

function permissions({ uses, letsOthers }: GraphLine): string {
  const list = (names: readonly string[]) => names.length === 0 ? "nothing" : names.join(", ");
  return `uses ${list(uses)}; lets others ${list(letsOthers)}`;
}
