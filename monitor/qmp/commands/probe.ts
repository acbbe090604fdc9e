/**
 * What management programs ask before they do anything: CPUs, memory, machines, and things that are not here.
 *
 * Source: qapi/machine.json, qapi/misc.json, qapi/pci.json, qapi/tpm.json.
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import { IoThread } from "../../../block/mod.ts";
import { type Machine, pc, type PciFunctionInfo, pciFunctions } from "../../../machine/mod.ts";
import { miceOf } from "../../commands/mouse.ts";
import { MonitorError } from "../../errors.ts";
import { bool, empty, int, list, oneOf, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import type { MachineQmpContext } from "../context.ts";
import * as types from "../types/probe.ts";

function machineOf({ machine }: MachineQmpContext): Machine {
  assert(machine !== undefined, "these commands are a machine's");
  return machine;
}

/** The CPUs in the object tree. */
function cpus(machine: Machine) {
  return machine.devices.filter(({ type }) => type.category === "CPU").map((device, index) => ({
    type: device.type.name,
    path: device.path,
    props: { "socket-id": index, "core-id": 0, "thread-id": 0 },
  }));
}

export const queryTarget = qmpCommand({
  name: "query-target",
  summary: "The guest's architecture.",
  data: empty,
  returns: struct({ arch: types.target }),
  run: () => ({ arch: "x86_64" as const }),
});

export const queryMachines = qmpCommand({
  name: "query-machines",
  summary: "The boards that there are.",
  data: empty,
  returns: list(types.machineInfo),
  run: (context) => [{
    name: pc.name,
    alias: pc.aliases[0],
    "is-default": true,
    "cpu-max": 1,
    "hotpluggable-cpus": false,
    "numa-mem-supported": false,
    deprecated: false,
    "default-cpu-type": cpus(machineOf(context))[0]!.type,
    "default-ram-id": "pc.ram",
  }],
});

export const queryCurrentMachine = qmpCommand({
  name: "query-current-machine",
  summary: "Whether the guest can be woken up from sleep: not here.",
  data: empty,
  returns: struct({ "wakeup-suspend-support": bool }),
  run: () => ({ "wakeup-suspend-support": false }),
});

export const queryCpusFast = qmpCommand({
  name: "query-cpus-fast",
  summary: "The CPUs. All of moa is one thread: it is the process's own.",
  data: empty,
  returns: list(types.cpuInfo),
  run: (context) =>
    cpus(machineOf(context)).map(({ path, props }, index) => ({
      "cpu-index": index,
      "qom-path": path,
      "thread-id": Deno.pid,
      props,
      target: "x86_64" as const,
    })),
});

export const queryHotpluggableCpus = qmpCommand({
  name: "query-hotpluggable-cpus",
  summary: "The places for CPUs, all of them taken.",
  data: empty,
  returns: list(types.hotpluggableCpu),
  run: (context) =>
    cpus(machineOf(context)).map(({ type, path, props }) => ({ type, "vcpus-count": 1, props, "qom-path": path })),
});

export const queryIothreads = qmpCommand({
  name: "query-iothreads",
  summary: "Objects of type iothread. There is one event loop: their thread is the process's own.",
  data: empty,
  returns: list(types.ioThreadInfo),
  run: ({ graph }) =>
    graph.objects.list.filter((object) => object instanceof IoThread).map((object) => ({
      id: object.id,
      "thread-id": Deno.pid,
      "poll-max-ns": object.number("poll-max-ns"),
      "poll-grow": object.number("poll-grow"),
      "poll-shrink": object.number("poll-shrink"),
      "aio-max-batch": object.number("aio-max-batch"),
    })),
});

export const queryMemorySizeSummary = qmpCommand({
  name: "query-memory-size-summary",
  summary: "How much memory the machine was started with, and how much was plugged in.",
  data: empty,
  returns: struct({ "base-memory": int, "plugged-memory": optional(int) }),
  run: (context) => ({ "base-memory": machineOf(context).ramBytes, "plugged-memory": 0 }),
});

export const queryMemoryDevices = qmpCommand({
  name: "query-memory-devices",
  summary: "Memory that was plugged in: none.",
  data: empty,
  returns: list(types.memoryDevice),
  run: () => [],
});

export const queryMemdev = qmpCommand({
  name: "query-memdev",
  summary: "What the guest's memory is made of.",
  data: empty,
  returns: list(types.memdev),
  run: (context) => [{
    id: "pc.ram",
    size: machineOf(context).ramBytes,
    merge: true,
    dump: true,
    prealloc: false,
    share: false,
    reserve: true,
    "host-nodes": [],
    policy: "default" as const,
  }],
});

export const queryPci = qmpCommand({
  name: "query-pci",
  summary: "The functions of the PCI buses.",
  data: empty,
  returns: list(types.pciInfo),
  run: (context) => [{ bus: 0, devices: pciFunctions(machineOf(context)).map(pciDevice) }],
});

function pciDevice(info: PciFunctionInfo): object {
  const { interrupt } = info;
  return {
    bus: info.bus,
    slot: info.slot,
    function: info.function,
    class_info: { class: info.classCode, desc: info.className },
    id: {
      device: info.device,
      vendor: info.vendor,
      subsystem: info.subsystem,
      "subsystem-vendor": info.subsystemVendor,
    },
    ...(interrupt === undefined ? {} : { irq: interrupt.line }),
    irq_pin: interrupt?.pin ?? 0,
    qdev_id: info.id,
    regions: info.bars.map(({ index, kind, address = -1, sizeBytes, prefetchable, is64Bit }) => ({
      bar: index,
      type: kind === "io" ? "io" : "memory",
      address,
      size: sizeBytes,
      ...(kind === "io" ? {} : { prefetch: prefetchable, mem_type_64: is64Bit }),
    })),
  };
}

export const queryMice = qmpCommand({
  name: "query-mice",
  summary: "Mice, and which of them is moved.",
  data: empty,
  returns: list(struct({ name: str, index: int, current: bool, absolute: bool })),
  run: (context) => miceOf(machineOf(context)),
});

export const queryBalloon = qmpCommand({
  name: "query-balloon",
  summary: "How far a balloon is blown up; there is no such device.",
  data: empty,
  returns: struct({ actual: int }),
  run(): never {
    throw new MonitorError("No balloon device has been activated", { class: "DeviceNotActive" });
  },
});

export const queryVnc = qmpCommand({
  name: "query-vnc",
  summary: "Whether there is a VNC server: no.",
  data: empty,
  returns: types.vncInfo,
  run: () => ({ enabled: false }),
});

export const queryTpm = qmpCommand({
  name: "query-tpm",
  summary: "TPMs: none.",
  data: empty,
  returns: types.tpm.all,
  run: () => [],
});

export const queryTpmModels = qmpCommand({
  name: "query-tpm-models",
  summary: "Models of TPMs that there are: none.",
  data: empty,
  returns: types.tpm.models,
  run: () => [],
});

export const queryTpmTypes = qmpCommand({
  name: "query-tpm-types",
  summary: "Kinds of TPM backends that there are: none.",
  data: empty,
  returns: types.tpm.types,
  run: () => [],
});

export const queryVmGenerationId = qmpCommand({
  name: "query-vm-generation-id",
  summary: "The guest's generation id; there is no such device.",
  data: empty,
  returns: struct({ guid: str }),
  run(): never {
    throw new MonitorError("VM Generation ID device not found");
  },
});

export const queryRxFilter = qmpCommand({
  name: "query-rx-filter",
  summary: "What network cards let through: there are none.",
  data: struct({ name: optional(str) }),
  returns: list(types.rxFilter),
  run(_context, { name }) {
    if (name !== undefined) throw new MonitorError(`invalid net client name: ${name}`);
    return [];
  },
});

export const queryAcpiOspmStatus = qmpCommand({
  name: "query-acpi-ospm-status",
  summary: "What the guest said of memory and CPUs that were plugged in: nothing.",
  data: empty,
  returns: list(struct({
    device: optional(str),
    slot: str,
    "slot-type": oneOf("DIMM", "CPU"),
    source: int,
    status: int,
  })),
  run: () => [],
});

export const queryReplay = qmpCommand({
  name: "query-replay",
  summary: "Whether the run is recorded or replayed: no.",
  data: empty,
  returns: struct({ mode: oneOf("none", "record", "play"), filename: optional(str), icount: int }),
  run: () => ({ mode: "none" as const, icount: 0 }),
});
