/**
 * `graph`: drives, filters, formats and protocols, and who uses what for what. moa's own.
 *
 * @module
 */
import { type BlockBackend, type BlockEdge, type BlockNode, Permission } from "../../block/mod.ts";
import type { MonitorContext } from "../context.ts";
import { MonitorError } from "../errors.ts";
import { graphSvg } from "../format/graph_svg.ts";
import { graphText } from "../format/graph_text.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

/** A permission, under the name that QMP has for it. */
export type PermissionName = "consistent-read" | "write" | "write-unchanged" | "resize";

/** A box: a drive or another user, or a node. */
export interface GraphBox {
  /** Counts from 0. */
  readonly id: number;
  readonly kind: "drive" | "user" | "node";
  /** Empty for a drive that only its device knows. */
  readonly name: string;
  /** A drive's device, or a node's driver. */
  readonly type: string;
  /** A node's file name. */
  readonly filename: string;
  /** Bytes; `undefined` without a medium. */
  readonly sizeBytes: number | undefined;
  readonly readOnly: boolean;
}

/** A line from a user to what it uses. */
export interface GraphLine {
  readonly from: number;
  readonly to: number;
  /** `root`, `file`, `backing`, ... */
  readonly role: string;
  readonly uses: readonly PermissionName[];
  readonly letsOthers: readonly PermissionName[];
}

/** What `graph` answers. */
export interface GraphDrawing {
  readonly boxes: readonly GraphBox[];
  readonly lines: readonly GraphLine[];
}

const NAMES: readonly (readonly [number, PermissionName])[] = [
  [Permission.consistentRead, "consistent-read"],
  [Permission.write, "write"],
  [Permission.writeUnchanged, "write-unchanged"],
  [Permission.resize, "resize"],
];

function permissionList(bits: number): PermissionName[] {
  return NAMES.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
}

/** Draws what lies below `roots`. */
class Drawing implements GraphDrawing {
  readonly boxes: GraphBox[] = [];
  readonly lines: GraphLine[] = [];
  readonly #ids = new Map<unknown, number>();

  drive(backend: BlockBackend): void {
    const { device, node } = backend;
    const id = this.#box(backend, {
      kind: "drive",
      name: backend.name,
      type: device === undefined ? "no device" : device.id || device.path,
      filename: "",
      sizeBytes: node?.size,
      readOnly: backend.readOnly,
    });
    if (node === undefined) return;
    const edge = node.parents.find(({ owner }) => owner === backend);
    this.node(node);
    if (edge !== undefined) this.#line(id, edge);
  }

  /** A node with all below it; who else uses a node of it is drawn as well. */
  node(node: BlockNode): number {
    const known = this.#ids.get(node);
    if (known !== undefined) return known;
    const id = this.#box(node, {
      kind: "node",
      name: node.name,
      type: node.driver.name,
      filename: node.filename,
      sizeBytes: node.size,
      readOnly: node.readOnly,
    });
    for (const edge of node.children) {
      this.node(edge.node);
      this.#line(id, edge);
    }
    return id;
  }

  /** Users of nodes that are neither drives nor nodes: jobs, exports. */
  others(nodes: readonly BlockNode[]): void {
    for (const node of nodes) {
      if (!this.#ids.has(node)) continue;
      for (const edge of node.parents) {
        const known = this.#ids.get(edge.owner);
        // One user may use several nodes; lines of drives and nodes are there already.
        if (known !== undefined) {
          if (this.boxes[known]!.kind === "user") this.#line(known, edge);
          continue;
        }
        const { name, description } = edge.owner;
        const type = description.replace(` '${name}'`, "");
        const id = this.#box(edge.owner, {
          kind: "user",
          name: name || description,
          type,
          filename: "",
          sizeBytes: undefined,
          readOnly: false,
        });
        this.#line(id, edge);
      }
    }
  }

  #box(key: unknown, box: Omit<GraphBox, "id">): number {
    const id = this.boxes.length;
    this.#ids.set(key, id);
    this.boxes.push({ id, ...box });
    return id;
  }

  #line(from: number, edge: BlockEdge): void {
    this.lines.push({
      from,
      to: this.#ids.get(edge.node)!,
      role: edge.role,
      uses: permissionList(edge.used),
      letsOthers: permissionList(edge.shared),
    });
  }
}

/** What is below the drive or node `name`, or everything. @throws {MonitorError} */
function draw({ machine }: MonitorContext, name: string | undefined): GraphDrawing {
  const { graph, backends } = machine;
  const drawing = new Drawing();
  if (name === undefined) {
    for (const backend of backends.list()) drawing.drive(backend);
    for (const node of graph.nodes.filter(({ parents }) => parents.length === 0)) drawing.node(node);
    for (const node of graph.nodes) drawing.node(node);
  } else {
    const backend = backends.find(name);
    const node = graph.find(name);
    if (backend !== undefined) drawing.drive(backend);
    else if (node !== undefined) drawing.node(node);
    else throw new MonitorError(`Cannot find device='${name}' nor node-name='${name}'`);
  }
  drawing.others(graph.nodes);
  return { boxes: drawing.boxes, lines: drawing.lines };
}

/** `[device] [--svg FILE]`. @throws {MonitorError} */
function readWords(text: string): { device: string | undefined; svg: string | undefined } {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const at = words.indexOf("--svg");
  const svg = at < 0 ? undefined : words.splice(at, 2)[1];
  if (at >= 0 && svg === undefined) throw new MonitorError("--svg needs the name of a file");
  const [device, more] = words;
  if (more !== undefined || device?.startsWith("--")) throw new MonitorError(`'${more ?? device}' is not understood`);
  return { device, svg };
}

export const graph = command({
  name: "graph",
  summary: "Draws drives, filters, formats and protocols, and who uses what for what.",
  arguments: { words: arg.optional(arg.rest()) },
  async run(context: MonitorContext, { words = "" }): Promise<GraphDrawing & { readonly svg: string | undefined }> {
    const { device, svg } = readWords(words);
    const drawing = draw(context, device);
    if (svg !== undefined) await context.writeFile(svg, graphSvg(drawing));
    return { ...drawing, svg };
  },
  hmp: {
    names: "graph",
    parameters: "[device] [--svg file]",
    help: "draw drives and nodes, and who uses what for what",
    isOwn: true,
    print: (output, { svg, ...drawing }) => output.print(svg === undefined ? graphText(drawing) : `${svg} written\n`),
  },
});
