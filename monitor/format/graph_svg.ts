/**
 * The block graph as a picture: users above what they use, one row for each step down.
 *
 * @module
 */
import type { GraphBox, GraphDrawing } from "../commands/graph.ts";

const [BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN] = [260, 62, 40, 74, 20];
const FILLS: Readonly<Record<GraphBox["kind"], string>> = { drive: "#fff3c4", user: "#f3d9fa", node: "#d0ebff" };

/** A whole SVG file. */
export function graphSvg(drawing: GraphDrawing): string {
  const rows = rowsOf(drawing);
  const width = Math.max(1, ...rows.map((row) => row.length)) * (BOX_WIDTH + GAP_X) - GAP_X + 2 * MARGIN;
  const height = Math.max(1, rows.length) * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN;
  const places = new Map<number, { x: number; y: number }>();
  rows.forEach((row, y) =>
    row.forEach((box, x) =>
      places.set(box.id, { x: MARGIN + x * (BOX_WIDTH + GAP_X), y: MARGIN + y * (BOX_HEIGHT + GAP_Y) })
    )
  );
  const lines = drawing.lines.map(({ from, to, role, uses }) => {
    const [a, b] = [places.get(from)!, places.get(to)!];
    const [x1, y1, x2, y2] = [a.x + BOX_WIDTH / 2, a.y + BOX_HEIGHT, b.x + BOX_WIDTH / 2, b.y];
    return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#495057" marker-end="url(#end)"/>\n` +
      text((x1 + x2) / 2 + 6, (y1 + y2) / 2 - 4, role, "role") +
      text((x1 + x2) / 2 + 6, (y1 + y2) / 2 + 10, uses.join(", "), "uses");
  });
  const boxes = drawing.boxes.map((box) => {
    const { x, y } = places.get(box.id)!;
    return `<rect x="${x}" y="${y}" width="${BOX_WIDTH}" height="${BOX_HEIGHT}" rx="6" fill="${FILLS[box.kind]}" ` +
      `stroke="#495057"/>\n` +
      text(x + 10, y + 18, box.name || "a drive", "name") + text(x + 10, y + 36, box.type, "type") +
      text(x + 10, y + 52, shortened(box.filename), "file");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif">\n` +
    `<style>.name{font-weight:bold;font-size:14px}.type{font-size:12px}.file{font-size:11px}.role{font-size:12px}` +
    `.uses{font-size:10px;fill:#868e96}</style>\n` +
    `<defs><marker id="end" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">` +
    `<path d="M0,0 L8,4 L0,8 z" fill="#495057"/></marker></defs>\n${lines.join("")}${boxes.join("")}</svg>\n`;
}

/** Boxes by how many steps they are below the topmost user. */
function rowsOf({ boxes, lines }: GraphDrawing): GraphBox[][] {
  const depths = boxes.map(() => 0);
  // The longest way down; a graph of nodes has no circles, and no way is longer than there are boxes.
  for (let round = 0; round < boxes.length; round++) {
    let changed = false;
    for (const { from, to } of lines) {
      if (depths[to]! > depths[from]!) continue;
      depths[to] = depths[from]! + 1;
      changed = true;
    }
    if (!changed) break;
  }
  const rows: GraphBox[][] = [];
  for (const box of boxes) (rows[depths[box.id]!] ??= []).push(box);
  return rows;
}

function text(x: number, y: number, content: string, kind: string): string {
  return `<text x="${x}" y="${y}" class="${kind}">${escaped(content)}</text>\n`;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

const MOST_CHARACTERS = 40;

/** The end of a long name says most. */
function shortened(name: string): string {
  return name.length <= MOST_CHARACTERS ? name : `…${name.slice(1 - MOST_CHARACTERS)}`;
}
