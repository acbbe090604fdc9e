/**
 * CPUs, iothreads and memory, in few lines each.
 *
 * Source: behaviour of QEMU 7.2.
 *
 * @module
 */
import { IoThread } from "../../block/mod.ts";
import { command } from "../schema/command.ts";

/** One of {@link infoIothreads}. */
export interface IoThreadInfo {
  readonly id: string;
  /** The process's own: there is one event loop. */
  readonly threadId: number;
  readonly numbers: Readonly<Record<string, number>>;
}

export const infoIothreads = command({
  name: "query-iothreads",
  summary: "Objects of type iothread.",
  arguments: {},
  run: ({ machine }): IoThreadInfo[] =>
    machine.graph.objects.list.filter((object) => object instanceof IoThread).map((object) => ({
      id: object.id,
      threadId: Deno.pid,
      numbers: {
        "poll-max-ns": object.number("poll-max-ns"),
        "poll-grow": object.number("poll-grow"),
        "poll-shrink": object.number("poll-shrink"),
        "aio-max-batch": object.number("aio-max-batch"),
      },
    })),
  hmp: {
    names: "iothreads",
    group: "info",
    parameters: "",
    help: "show iothreads",
    print(output, threads) {
      for (const { id, threadId, numbers } of threads) {
        output.print(`${id}:\n  thread_id=${threadId}\n`);
        for (const [name, value] of Object.entries(numbers)) output.print(`  ${name}=${value}\n`);
      }
    },
  },
});

export const infoCpus = command({
  name: "query-cpus-fast",
  summary: "The CPUs, each with its thread: the process's own.",
  arguments: {},
  run: ({ machine }): { readonly index: number; readonly threadId: number }[] =>
    machine.devices.filter(({ type }) => type.category === "CPU").map((_cpu, index) => ({
      index,
      threadId: Deno.pid,
    })),
  hmp: {
    names: "cpus",
    group: "info",
    parameters: "",
    help: "show infos for each CPU",
    print(output, cpus) {
      for (const { index, threadId } of cpus) {
        output.print(`${index === 0 ? "*" : " "} CPU #${index}: thread_id=${threadId}\n`);
      }
    },
  },
});

export const infoMemorySizeSummary = command({
  name: "query-memory-size-summary",
  summary: "How much memory the machine was started with, and how much was plugged in.",
  arguments: {},
  run: ({ machine }): { readonly baseBytes: number; readonly pluggedBytes: number } => ({
    baseBytes: machine.ramBytes,
    pluggedBytes: 0,
  }),
  hmp: {
    names: "memory_size_summary",
    group: "info",
    parameters: "",
    help: "show the amount of initially allocated and present hotpluggable (if enabled) memory in bytes.",
    print(output, { baseBytes, pluggedBytes }) {
      output.print(`base memory: ${baseBytes}\nplugged memory: ${pluggedBytes}\n`);
    },
  },
});
