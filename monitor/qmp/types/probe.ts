/**
 * Types of what management programs ask first.
 *
 * Source: qapi/machine.json, qapi/machine-target.json, qapi/misc.json, qapi/qom.json, qapi/pci.json, qapi/tpm.json.
 *
 * @module
 */
import { any, bool, int, list, oneOf, optional, recursive, str, struct, union } from "../../schema/qapi/types.ts";

/** Every architecture that some QEMU has. */
export const target = oneOf(
  ...["aarch64", "alpha", "arm", "avr", "cris", "hppa", "i386", "loongarch64", "m68k", "microblaze"] as const,
  ...["microblazeel", "mips", "mips64", "mips64el", "mipsel", "nios2", "or1k", "ppc", "ppc64", "riscv32"] as const,
  ...["riscv64", "rx", "s390x", "sh4", "sh4eb", "sparc", "sparc64", "tricore", "x86_64", "xtensa"] as const,
  ...["xtensaeb"] as const,
);

/** QAPI's CpuInstanceProperties. */
export const cpuProperties = struct({
  "node-id": optional(int),
  "socket-id": optional(int),
  "die-id": optional(int),
  "cluster-id": optional(int),
  "core-id": optional(int),
  "thread-id": optional(int),
});

/** QAPI's CpuInfoFast. */
export const cpuInfo = union(
  struct({ "cpu-index": int, "qom-path": str, "thread-id": int, props: optional(cpuProperties), target }),
  "target",
  { s390x: struct({ "cpu-state": oneOf("uninitialized", "stopped", "check-stop", "operating", "load") }) },
);

/** QAPI's HotpluggableCPU. */
export const hotpluggableCpu = struct({
  type: str,
  "vcpus-count": int,
  props: cpuProperties,
  "qom-path": optional(str),
});

/** QAPI's MachineInfo. */
export const machineInfo = struct({
  name: str,
  alias: optional(str),
  "is-default": optional(bool),
  "cpu-max": int,
  "hotpluggable-cpus": bool,
  "numa-mem-supported": bool,
  deprecated: bool,
  "default-cpu-type": optional(str),
  "default-ram-id": optional(str),
});

/** QAPI's IOThreadInfo. */
export const ioThreadInfo = struct({
  id: str,
  "thread-id": int,
  "poll-max-ns": int,
  "poll-grow": int,
  "poll-shrink": int,
  "aio-max-batch": int,
});

const dimm = struct({
  data: struct({
    id: optional(str),
    addr: int,
    size: int,
    slot: int,
    node: int,
    memdev: str,
    hotplugged: bool,
    hotpluggable: bool,
  }),
});

/** QAPI's MemoryDeviceInfo. */
export const memoryDevice = union(
  struct({ type: oneOf("dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc") }),
  "type",
  {
    dimm,
    nvdimm: dimm,
    "virtio-pmem": struct({ data: struct({ id: optional(str), memaddr: int, size: int, memdev: str }) }),
    "virtio-mem": struct({
      data: struct({
        id: optional(str),
        memaddr: int,
        "requested-size": int,
        size: int,
        "max-size": int,
        "block-size": int,
        node: int,
        memdev: str,
      }),
    }),
    "sgx-epc": struct({ data: struct({ id: optional(str), memaddr: int, size: int, node: int, memdev: str }) }),
  },
);

/** QAPI's Memdev. */
export const memdev = struct({
  id: optional(str),
  size: int,
  merge: bool,
  dump: bool,
  prealloc: bool,
  share: bool,
  reserve: optional(bool),
  "host-nodes": list(int),
  policy: oneOf("default", "preferred", "bind", "interleave"),
});

/** QAPI's ObjectPropertyInfo. */
export const propertyInfo = struct({
  name: str,
  type: str,
  description: optional(str),
  "default-value": optional(any),
});

const range = struct({ base: int, limit: int });

const pciDevice = recursive<object>((self) =>
  struct({
    bus: int,
    slot: int,
    function: int,
    class_info: struct({ desc: optional(str), class: int }),
    id: struct({ device: int, vendor: int, subsystem: optional(int), "subsystem-vendor": optional(int) }),
    irq: optional(int),
    irq_pin: int,
    qdev_id: str,
    pci_bridge: optional(struct({
      bus: struct({
        number: int,
        secondary: int,
        subordinate: int,
        io_range: range,
        memory_range: range,
        prefetchable_range: range,
      }),
      devices: optional(list(self)),
    })),
    regions: list(struct({
      bar: int,
      type: str,
      address: int,
      size: int,
      prefetch: optional(bool),
      mem_type_64: optional(bool),
    })),
  })
);

/** QAPI's PciInfo. */
export const pciInfo = struct({ bus: int, devices: list(pciDevice) });

const tpmModel = oneOf("tpm-tis", "tpm-crb", "tpm-spapr");
const tpmType = oneOf("passthrough", "emulator");

/** What is asked of TPMs. */
export const tpm = {
  models: list(tpmModel),
  types: list(tpmType),
  all: list(struct({
    id: str,
    model: tpmModel,
    options: union(struct({ type: tpmType }), "type", {
      passthrough: struct({ data: struct({ path: optional(str), "cancel-path": optional(str) }) }),
      emulator: struct({ data: struct({ chardev: str }) }),
    }),
  })),
} as const;

const family = oneOf("ipv4", "ipv6", "unix", "vsock", "unknown");

/** QAPI's VncInfo. */
export const vncInfo = struct({
  enabled: bool,
  host: optional(str),
  family: optional(family),
  service: optional(str),
  auth: optional(str),
  clients: optional(list(struct({
    host: str,
    service: str,
    family,
    websocket: bool,
    x509_dname: optional(str),
    sasl_username: optional(str),
  }))),
});

const rxState = oneOf("normal", "none", "all");

/** QAPI's RxFilterInfo. */
export const rxFilter = struct({
  name: str,
  promiscuous: bool,
  multicast: rxState,
  unicast: rxState,
  vlan: rxState,
  "broadcast-allowed": bool,
  "multicast-overflow": bool,
  "unicast-overflow": bool,
  "main-mac": str,
  "vlan-table": list(int),
  "unicast-table": list(str),
  "multicast-table": list(str),
});
