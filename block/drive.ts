/**
 * A drive from its options: the backend with its image in it, and for `snapshot=on` an overlay that takes all writes
 * and goes when the drive goes.
 *
 * @module
 */
import { createImage } from "./create.ts";
import { BlockBackend } from "./backend.ts";
import { BlockError } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import type { BlockNode } from "./node.ts";
import type { DriveOptions } from "./options/drive.ts";
import { optionError, type OptionTree } from "./options/tree.ts";
import { ALL_PERMISSIONS, Permission } from "./permissions.ts";

/**
 * Makes the backend `name` and opens its image; an empty drive has none.
 * @throws {BlockError} as the image has it; nothing is left open then.
 */
export async function openDrive(
  graph: BlockGraph,
  drive: DriveOptions,
  name: string,
  how: { readonly signal?: AbortSignal } = {},
): Promise<BlockBackend> {
  if (graph.backends.has(name)) throw new BlockError({ kind: "state", text: `Duplicate ID '${name}' for drive` });
  const backend = new BlockBackend({
    graph,
    name,
    readOnly: drive.readOnly,
    writeCache: drive.writeCache,
    werror: drive.werror,
    rerror: drive.rerror,
    // Until a device takes the drive, it is only looked at, and others may do with the image as they like.
    used: drive.isEmpty ? 0 : Permission.consistentRead,
    shared: ALL_PERMISSIONS,
  });
  const { throttling } = drive;
  if (throttling !== undefined) {
    backend.setThrottling({ group: throttling.group ?? name, limits: throttling.limits });
  }
  if (drive.isEmpty) return backend;
  try {
    const node = await openDriveNode(graph, drive, how.signal);
    try {
      await backend.insertMedium(node);
    } finally {
      await graph.release(node);
    }
    return backend;
  } catch (error) {
    await backend[Symbol.asyncDispose]();
    throw error;
  }
}

/** Opens the node of a drive, held for the caller: what `drive_add` with no backend and media change need too. */
export async function openDriveNode(
  graph: BlockGraph,
  drive: Pick<DriveOptions, "filename" | "options" | "aio" | "snapshot" | "copyOnRead" | "detectZeroes">,
  signal?: AbortSignal,
): Promise<BlockNode> {
  const options: OptionTree = drive.snapshot ? { ...drive.options, "read-only": true } : drive.options;
  let node = await graph.openImage({
    options,
    ...(drive.filename === undefined ? {} : { filename: drive.filename }),
    ...(drive.aio === undefined ? {} : { aio: drive.aio }),
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    if (drive.snapshot) node = await appendTemporary(graph, node);
    node.detectZeroes = drive.detectZeroes;
    if (drive.copyOnRead) node.enableCopyOnRead();
    return node;
  } catch (error) {
    await graph.release(node);
    throw error;
  }
}

/** Puts a temporary qcow2 overlay over `base`, whose hold moves to the overlay. */
async function appendTemporary(graph: BlockGraph, base: BlockNode): Promise<BlockNode> {
  const { temporary } = graph;
  if (temporary === undefined) throw optionError("There is no place for temporary images here", "snapshot");
  const filename = await temporary.create();
  try {
    await createImage(graph, { filename, format: "qcow2", values: { size: base.size } });
    // QEMU opens the new image twice more while it makes it; the names that people see count on.
    graph.nextName();
    graph.nextName();
    const overlay = await graph.openImage({
      options: {
        driver: "qcow2",
        file: { driver: "file", filename },
        backing: base.name,
        cache: { "no-flush": true },
        discard: base.discardEnabled ? "unmap" : "ignore",
      },
    });
    graph.atClose(overlay, () => temporary.remove(filename));
    await graph.release(base);
    return overlay;
  } catch (error) {
    await temporary.remove(filename);
    throw error;
  }
}
