/**
 * External snapshots: a new image over the one that the guest writes, which stays as it is from then on.
 *
 * Source: qapi/block-core.json; docs/interop/live-block-operations.
 *
 * @module
 */
import {
  BlockBackend,
  type BlockGraph,
  BlockNode,
  drained,
  inactivate,
  layersAbove,
  QEMU_DRIVERS,
  refreshName,
  replaceNode,
  setBacking,
  visibleNode,
} from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { type Infer, oneOf, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { changeTogether, type Prepare, type PreparedChange } from "./actions.ts";
import { makeImage, namedNode, rootNode } from "./chains.ts";
import { deviceNode } from "./nodes.ts";

/** Puts `overlay` over `node`: whoever used the one uses the other. All stays as it was where that is refused. */
async function putOver(graph: BlockGraph, node: BlockNode, overlay: BlockNode): Promise<PreparedChange> {
  await drained([node, overlay], async () => {
    await node.flush();
    await setBacking(graph, overlay, node);
    try {
      await replaceNode(node, overlay, ({ owner }) => owner as unknown !== overlay);
    } catch (error) {
      await setBacking(graph, overlay, undefined);
      throw error;
    }
  });
  return {
    async commit() {
      // Nobody writes to it any more. Where the host will not have it, it stays open for writing, as in QEMU.
      if (!node.readOnly) await graph.reopen(node, { readOnly: true }).catch(({ message }) => graph.warn(message));
    },
    abort: () =>
      drained([node, overlay], async () => {
        await replaceNode(overlay, node);
        await setBacking(graph, overlay, undefined);
      }),
  };
}

export const snapshotOverData = struct({ node: str, overlay: str });

/** Puts a node that is open over another. */
export function snapshotOver(graph: BlockGraph, data: Infer<typeof snapshotOverData>): Prepare {
  return async () => {
    const node = visibleNode(graph.lookup(data.node));
    graph.jobs.refuseBusy(node, "snapshot");
    const overlay = graph.lookup(data.overlay);
    if (overlay.parents.some(({ owner }) => owner instanceof BlockBackend || owner instanceof BlockNode)) {
      throw new MonitorError("The overlay is already in use");
    }
    graph.jobs.refuseBusy(overlay, "snapshot");
    if (overlay.backing !== undefined) throw new MonitorError("The overlay already has a backing image");
    if (overlay.driver.replaceable?.includes("backing") !== true) {
      throw new MonitorError("The overlay does not support backing images");
    }
    // What lies over a node that another program has is that program's, too.
    if (node.inactive !== undefined && overlay.inactive === undefined) await inactivate(overlay);
    return await putOver(graph, node, overlay);
  };
}

export const blockdevSnapshot = qmpCommand({
  name: "blockdev-snapshot",
  summary: "Puts a node that is open over another: the guest writes to it from then on.",
  data: snapshotOverData,
  features: ["allow-write-only-overlay"],
  run: ({ graph }, data) => changeTogether([snapshotOver(graph, data)]),
});

export const snapshotSyncData = struct({
  device: optional(str),
  "node-name": optional(str),
  "snapshot-file": str,
  "snapshot-node-name": optional(str),
  format: optional(str),
  mode: optional(oneOf("existing", "absolute-paths")),
});

/** Puts a new image over another. Taken back, the image is closed; its file stays. */
export function snapshotToFile(graph: BlockGraph, data: Infer<typeof snapshotSyncData>): Prepare {
  return async () => {
    const { "snapshot-file": filename, "snapshot-node-name": nodeName, format = "qcow2" } = data;
    const { mode = "absolute-paths", device, "node-name": name } = data;
    const node = visibleNode(deviceNode(graph, device, name));
    graph.jobs.refuseBusy(node, "snapshot");
    if (name !== undefined && nodeName === undefined) throw new MonitorError("New overlay node-name missing");
    if (nodeName !== undefined && graph.find(nodeName) !== undefined) {
      throw new MonitorError("New overlay node-name already in use");
    }
    if (mode !== "existing") await createOverlay(graph, node, filename, format);
    const overlay = await graph.openImage({
      filename,
      options: {
        driver: format,
        "detect-zeroes": node.detectZeroes,
        discard: node.discardEnabled ? "unmap" : "ignore",
        cache: { direct: node.cacheDirect, "no-flush": node.cacheNoFlush },
        ...(nodeName === undefined ? {} : { "node-name": nodeName }),
      },
      noBacking: true,
    });
    try {
      const change = await putOver(graph, node, overlay);
      const letGo = async (work: (() => Promise<void> | void) | undefined) => {
        await work?.();
        await graph.release(overlay);
      };
      return { commit: () => letGo(change.commit), abort: () => letGo(change.abort) };
    } catch (error) {
      await graph.release(overlay);
      throw error;
    }
  };
}

/** Puts a new image over another as `blockdev-snapshot-sync` describes it. */
export function snapshotSync(graph: BlockGraph, data: Infer<typeof snapshotSyncData>): Promise<void> {
  return changeTogether([snapshotToFile(graph, data)]);
}

export const blockdevSnapshotSync = qmpCommand({
  name: "blockdev-snapshot-sync",
  summary: "Makes a new image over a drive's or node's: the guest writes to it from then on.",
  data: snapshotSyncData,
  run: ({ graph }, data) => snapshotSync(graph, data),
});

async function createOverlay(graph: BlockGraph, node: BlockNode, filename: string, format: string): Promise<void> {
  if (!QEMU_DRIVERS.includes(format)) throw new MonitorError(`Unknown file format '${format}'`);
  await makeImage(graph, {
    filename,
    format,
    size: node.size,
    backingFile: node.filename,
    backingFormat: node.driver.name,
  });
}

export const changeBackingFile = qmpCommand({
  name: "change-backing-file",
  summary: "Writes another name of the backing file into an image's header; the open chain stays.",
  data: struct({ device: str, "image-node-name": str, "backing-file": str }),
  async run({ graph }, { device, "image-node-name": imageName, "backing-file": file }) {
    const top = rootNode(graph, device);
    const image = namedNode(graph, imageName);
    const { backing } = image;
    if (backing === undefined) {
      throw new MonitorError("not allowing backing file change on an image without a backing file");
    }
    graph.jobs.refuseBusy(image, "stream");
    if (!layersAbove(top).includes(image)) {
      throw new MonitorError(`'${device}' and image file are not in the same chain`);
    }
    const { readOnly } = image;
    if (readOnly) await graph.reopen(image, { readOnly: false });
    try {
      if (image.driver.changeBacking === undefined) throw new MonitorError("Operation not supported");
      await image.driver.changeBacking(file === "" ? undefined : file, file === "" ? undefined : backing.driver.name);
      await image.flush();
      await refreshName(image);
    } finally {
      if (readOnly) await graph.reopen(image, { readOnly: true });
    }
  },
});
