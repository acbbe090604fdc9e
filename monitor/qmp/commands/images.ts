/**
 * Jobs that make an image and that change what one was made with.
 *
 * Source: qapi/block-core.json.
 *
 * @module
 */
import {
  ALL_PERMISSIONS,
  BlockBackend,
  type BlockdevRef,
  type BlockGraph,
  BlockNode,
  checkBlockdev,
  createIn,
  type CreateValues,
  creatingDriver,
  drained,
  type OptionTree,
  optionValue,
  parseKeySlotChange,
  Permission,
  startOnce,
} from "../../../block/mod.ts";
import type { JsonObject } from "../../../base/json/mod.ts";
import { SECTOR_BYTES } from "../../../base/units.ts";
import { MonitorError } from "../../errors.ts";
import { bool, type Infer, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { amendOptions, createOptions } from "../types/create.ts";
import { namedNode } from "./chains.ts";

type CreateOptions = Infer<typeof createOptions>;

/** Names of `qemu-img create` where they are not the protocol's. */
const CREATE_NAMES: Readonly<Record<string, string>> = { version: "compat", "backing-fmt": "backing_fmt" };

/** The options of a format by the names of `qemu-img create`; places are left out. */
function createValues(options: CreateOptions): CreateValues {
  const values: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || ["driver", "file", "data-file", "filename"].includes(name)) continue;
    if (name === "encrypt") {
      const encrypt = value as Readonly<Record<string, string | number>>;
      for (const [inner, one] of Object.entries(encrypt)) values[`encrypt.${inner}`] = one === "qcow" ? "aes" : one;
    } else {
      const own = options.driver === "luks" ? name : name.replaceAll("-", "_");
      values[CREATE_NAMES[name] ?? own] = value as string | number | boolean;
    }
  }
  return values;
}

/** A node's name, or its description checked as `blockdev-add` does. */
function placeOf(ref: JsonObject | string): BlockdevRef {
  return typeof ref === "string" ? ref : checkBlockdev(optionValue(ref) as OptionTree, { keyval: false });
}

async function create(graph: BlockGraph, options: CreateOptions): Promise<void> {
  const definition = await creatingDriver(graph, options.driver);
  const values = createValues(options);
  if (options.driver === "file") {
    const { clocks, random, secrets } = graph;
    const never = () => Promise.reject(new MonitorError("a file has no file below it"));
    const none = { createFile: never, openBacking: never, file: new BlockNode({ name: "" }) };
    return await definition.create!(values, { ...none, filename: options.filename, clocks, random, secrets });
  }
  if (options.driver !== "qcow2" && options.driver !== "luks") return;
  if (options.driver === "qcow2" && options.size % SECTOR_BYTES !== 0) {
    throw new MonitorError("Image size must be a multiple of 512 bytes");
  }
  const dataFile = options.driver === "qcow2" ? options["data-file"] : undefined;
  await createIn(graph, definition, values, {
    file: placeOf(options.file),
    dataFile: dataFile === undefined ? undefined : placeOf(dataFile),
  });
}

export const blockdevCreate = qmpCommand({
  name: "blockdev-create",
  summary: "Starts a job that makes an image: a file, or a format in a node that is there.",
  data: struct({ "job-id": str, options: createOptions }),
  async run({ graph }, { "job-id": id, options }) {
    await creatingDriver(graph, options.driver);
    await startOnce(graph, { id, type: "create" }, () => create(graph, options));
  },
});

type AmendOptions = Infer<typeof amendOptions>;

async function amend(graph: BlockGraph, node: BlockNode, options: AmendOptions, force: boolean): Promise<void> {
  if (options.driver !== "luks" && options.driver !== "qcow2") return;
  const slots = options.driver === "luks" ? options : options.encrypt;
  if (slots === undefined) return;
  const { encrypt } = (await node.driver.info?.())?.specific ?? {};
  if (options.driver === "qcow2") {
    if (encrypt === undefined) throw new MonitorError("image is not encrypted, can't amend");
    const is = (encrypt as { readonly format?: string }).format === "aes" ? "qcow" : "luks";
    if (options.encrypt!.format !== is) {
      throw new MonitorError("Amend can't be used to change the qcow2 encryption format");
    }
    if (is === "qcow") {
      throw new MonitorError("Only LUKS encryption options can be amended for qcow2 with x-blockdev-amend");
    }
  }
  await using writer = new BlockBackend({ graph, used: Permission.write, shared: ALL_PERMISSIONS });
  await writer.insertMedium(node);
  await drained([node], () => node.driver.amend!({ keySlots: parseKeySlotChange({ ...slots }, force) }));
}

export const blockdevAmend = qmpCommand({
  name: "x-blockdev-amend",
  summary: "Starts a job that changes what an image was made with: the key slots of an encrypted one.",
  data: struct({ "job-id": str, "node-name": str, options: amendOptions, force: optional(bool) }),
  features: ["unstable"],
  async run({ graph }, { "job-id": id, "node-name": name, options, force = false }) {
    const node = namedNode(graph, name);
    const { driver } = node;
    if (driver.name !== options.driver) {
      throw new MonitorError("x-blockdev-amend doesn't support changing the block driver");
    }
    if (driver.amend === undefined) throw new MonitorError("Driver does not support x-blockdev-amend");
    await startOnce(graph, { id, type: "amend" }, () => amend(graph, node, options, force));
  },
});
