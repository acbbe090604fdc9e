/**
 * Marks and counters that users set on disks: a write that goes beyond a mark, latencies in bins.
 *
 * Source: qapi/block-core.json.
 *
 * @module
 */
import { type AccountedKind, isAscending, LatencyHistogram, setWriteThreshold } from "../../../block/mod.ts";
import { deviceNotFound, MonitorError } from "../../errors.ts";
import { list, optional, str, struct, uint64 } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";

export const blockSetWriteThreshold = qmpCommand({
  name: "block-set-write-threshold",
  summary: "Tells once when a write reaches beyond a mark on a node; 0 takes the mark away.",
  data: struct({ "node-name": str, "write-threshold": uint64 }),
  run({ graph }, { "node-name": name, "write-threshold": bytes }) {
    const node = graph.find(name);
    if (node === undefined) throw new MonitorError(`Device '${name}' not found`);
    setWriteThreshold(graph, node, bytes);
  },
});

const boundaries = optional(list(uint64));

export const blockLatencyHistogramSet = qmpCommand({
  name: "block-latency-histogram-set",
  summary: "Counts how long a device's requests take in bins between boundaries in nanoseconds; without any, no more.",
  data: struct({
    id: str,
    boundaries,
    "boundaries-read": boundaries,
    "boundaries-write": boundaries,
    "boundaries-flush": boundaries,
  }),
  run({ backends }, { id, boundaries: all, ...own }) {
    const backend = backends.list().find(({ device }) => device !== undefined && [device.id, device.path].includes(id));
    if (backend === undefined) throw deviceNotFound(id);
    const { histograms } = backend.stats;
    const wanted: Readonly<Partial<Record<AccountedKind, readonly number[] | undefined>>> = {
      read: own["boundaries-read"] ?? all,
      write: own["boundaries-write"] ?? all,
      flush: own["boundaries-flush"] ?? all,
    };
    for (const [kind, limits] of Object.entries(wanted)) {
      if (limits !== undefined && !isAscending(limits)) {
        throw new MonitorError(`Device '${id}' set ${kind} boundaries fail`);
      }
    }
    const isEmpty = Object.values(wanted).every((limits) => limits === undefined);
    for (const [kind, limits] of Object.entries(wanted) as [AccountedKind, readonly number[] | undefined][]) {
      if (limits !== undefined) histograms[kind] = new LatencyHistogram(limits);
      else if (isEmpty) delete histograms[kind];
    }
  },
});
