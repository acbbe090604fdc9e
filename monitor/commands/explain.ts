/**
 * `explain`: where the bytes of one guest offset come from, layer by layer. moa's own.
 *
 * @module
 */
import { type BlockNode, type TableInspection } from "../../block/mod.ts";
import type { MonitorContext } from "../context.ts";
import { MonitorError } from "../errors.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

/** One layer's answer. */
export interface ExplainStep {
  readonly node: string;
  readonly driver: string;
  readonly filename: string;
  /** The offset that this layer was asked for, in bytes. */
  readonly offset: number;
  /** What the layer says, a line each. */
  readonly findings: readonly string[];
}

/** The way of one read. */
export interface Explanation {
  readonly device: string;
  readonly offset: number;
  readonly steps: readonly ExplainStep[];
  /** What the guest reads there, in the end. */
  readonly outcome: string;
}

const hex = (value: number) => `0x${value.toString(16)}`;

/** The node of a drive or of a name. @throws {MonitorError} */
function nodeNamed({ machine }: MonitorContext, name: string): BlockNode {
  const backend = machine.backends.find(name);
  if (backend !== undefined && backend.node === undefined) throw new MonitorError(`Device '${name}' has no medium`);
  const node = backend?.node ?? machine.graph.find(name);
  if (node === undefined) throw new MonitorError(`Cannot find device='${name}' nor node-name='${name}'`);
  return node;
}

/** What a layer says, and where to go on: a node and an offset in it, or what is read. */
interface Finding {
  readonly findings: string[];
  readonly next?: { readonly node: BlockNode; readonly offset: number };
  readonly outcome?: string;
}

async function ask(node: BlockNode, offset: number): Promise<Finding> {
  if (offset >= node.size) return { findings: ["behind the end of this image"], outcome: "zeroes: no layer has it" };
  // A filter holds nothing: what is below it answers.
  const below = node.kind === "filter" ? node.driver.filtered ?? node.backing : undefined;
  if (below !== undefined) {
    return { findings: [`a filter: ${below.name} is asked`], next: { node: below, offset } };
  }
  const findings = node.driver.inspection === undefined ? [] : await tables(node, node.driver.inspection, offset);
  const extent = await node.status(offset, Math.min(512, node.size - offset));
  switch (extent.kind) {
    case "zero":
      return { findings: [...findings, "reads as zeroes"], outcome: `zeroes, as ${node.name} says` };
    case "unallocated": {
      const { backing } = node;
      if (backing === undefined) return { findings: [...findings, "nothing, and no backing file"], outcome: "zeroes" };
      return { findings: [...findings, `nothing: ${backing.name} shows through`], next: { node: backing, offset } };
    }
    case "data": {
      if (extent.compressed === true) {
        return { findings, outcome: `data, unpacked from a compressed cluster of ${node.name}` };
      }
      const file = extent.node ?? (node.kind === "protocol" ? undefined : node.children[0]?.node);
      if (extent.hostOffset === undefined || file === undefined || file === node) {
        const where = node.kind === "protocol" ? `byte ${offset} (${hex(offset)}) of ${node.filename}` : node.name;
        return { findings, outcome: `data, from ${where}` };
      }
      return {
        findings: [...findings, `data at ${hex(extent.hostOffset)} of ${file.name}`],
        next: { node: file, offset: extent.hostOffset },
      };
    }
  }
}

/** The entries on the way through L1 and L2, and who else refers to the cluster. */
async function tables(node: BlockNode, inspection: TableInspection, offset: number): Promise<string[]> {
  const { clusterSizeBytes, bytesPerL1Entry } = inspection;
  const l1Index = Math.floor(offset / bytesPerL1Entry);
  const l2Index = Math.floor((offset % bytesPerL1Entry) / clusterSizeBytes);
  const l1 = (await inspection.l1())[l1Index];
  if (l1 === undefined || l1.offset === 0) return [`L1[${l1Index}] is empty`];
  const found = [`L1[${l1Index}]: L2 table at ${hex(l1.offset)}${l1.copied ? "" : ", shared"}`];
  const l2 = (await inspection.l2(l1Index))[l2Index];
  if (l2 === undefined) return found;
  if (l2.offset === 0) return [...found, `L2[${l2Index}]: ${l2.kind}`];
  const cluster = l2.offset - l2.offset % clusterSizeBytes;
  const count = await inspection.refcount(cluster);
  found.push(
    `L2[${l2Index}]: ${l2.kind} at ${hex(l2.offset)}, refcount ${count}${l2.copied ? ", written in place" : ""}`,
  );
  const sharers: string[] = [];
  for (const { id, name } of node.driver.snapshots?.list() ?? []) {
    const theirs = (await inspection.l2(l1Index, id))[l2Index];
    if (theirs?.offset === l2.offset && theirs.kind === l2.kind) sharers.push(`'${name}'`);
  }
  if (sharers.length > 0) found.push(`shared with snapshot ${sharers.join(", ")}`);
  return found;
}

export const explain = command({
  name: "explain",
  summary: "Follows one read through all layers to where its bytes are.",
  arguments: { device: arg.device(), offset: arg.int64() },
  async run(context: MonitorContext, values): Promise<Explanation> {
    const { device } = values;
    const offset = Number(values.offset);
    let node = nodeNamed(context, device);
    if (offset < 0 || offset >= node.size) {
      throw new MonitorError(`${device} has ${node.size} bytes, ${offset} is not among them`);
    }
    const steps: ExplainStep[] = [];
    let at = offset;
    for (;;) {
      const { findings, next, outcome } = await ask(node, at);
      steps.push({ node: node.name, driver: node.driver.name, filename: node.filename, offset: at, findings });
      if (outcome !== undefined) return { device, offset, steps, outcome };
      if (next === undefined) return { device, offset, steps, outcome: "data" };
      node = next.node;
      at = next.offset;
    }
  },
  hmp: {
    names: "explain",
    parameters: "device offset",
    help: "follow one read through all layers to where its bytes are",
    isOwn: true,
    print: (output, { device, offset, steps, outcome }) => {
      output.print(`${device}, byte ${offset} (${hex(offset)})\n`);
      for (const step of steps) {
        output.print(`  ${step.node} (${step.driver}) ${step.filename} at ${hex(step.offset)}\n`);
        for (const finding of step.findings) output.print(`    ${finding}\n`);
      }
      output.print(`  => ${outcome}\n`);
    },
  },
});
