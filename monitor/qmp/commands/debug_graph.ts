/**
 * The whole block graph as nodes and edges with their permissions, for tests and for looking at.
 *
 * Numbers are given in the order in which things are met: drives, each with its root; jobs, each with what it uses; then
 * all nodes, each with its children. Lists are answered with the last first, as QEMU does.
 *
 * Source: qapi/block-core.json, XDbgBlockGraph.
 *
 * @module
 */
import { type BlockEdge, type EdgeOwner, Permission } from "../../../block/mod.ts";
import { empty, type Infer } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { debugGraph } from "../types/block.ts";

type DebugGraph = Infer<typeof debugGraph>;
type NodeKind = DebugGraph["nodes"][number]["type"];

const NAMES = [
  ["resize", Permission.resize],
  ["write-unchanged", Permission.writeUnchanged],
  ["write", Permission.write],
  ["consistent-read", Permission.consistentRead],
] as const;

function namesOf(bits: number) {
  return NAMES.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name);
}

export const debugQueryBlockGraph = qmpCommand({
  name: "x-debug-query-block-graph",
  summary: "All drives, jobs and nodes, and who uses which with what permissions.",
  data: empty,
  returns: debugGraph,
  features: ["unstable"],
  run({ graph, backends }) {
    const numbers = new Map<unknown, number>();
    const nodes: DebugGraph["nodes"][number][] = [];
    const edges: DebugGraph["edges"][number][] = [];
    const numberOf = (thing: unknown) => {
      const known = numbers.get(thing) ?? numbers.size + 1;
      numbers.set(thing, known);
      return known;
    };
    const add = (thing: EdgeOwner, type: NodeKind, name: string, below: readonly BlockEdge[]) => {
      nodes.push({ id: numberOf(thing), type, name });
      for (const { role, node, used, shared } of below) {
        edges.push({
          parent: numberOf(thing),
          child: numberOf(node),
          name: role,
          perm: namesOf(used),
          "shared-perm": namesOf(shared),
        });
      }
    };
    for (const backend of backends.list()) {
      const root = backend.node?.parents.filter(({ owner }) => owner === backend) ?? [];
      add(backend, "block-backend", backend.name || backend.device?.id || backend.device?.path || "", root);
    }
    for (const job of graph.jobs.list()) add(job, "block-job", job.id, job.edges.toReversed());
    for (const node of graph.nodes) add(node, "block-driver", node.name, node.children.toReversed());
    return { nodes: nodes.reverse(), edges: edges.reverse() };
  },
});
