/**
 * Making an image in a node that is open already, as `blockdev-create` does; the file itself is made beforehand.
 *
 * @module
 */
import { BlockBackend } from "./backend.ts";
import type { CreateValues, DriverDefinition } from "./driver.ts";
import { BlockError } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import type { BlockNode } from "./node.ts";
import type { BlockdevRef } from "./options/blockdev.ts";
import { ALL_PERMISSIONS, Permission } from "./permissions.ts";

/** Where an image goes; what is described and not named is opened for this alone. */
export interface ImagePlaces {
  readonly file: BlockdevRef;
  readonly dataFile?: BlockdevRef | undefined;
}

/** The driver called `name`, where it makes images. @throws {BlockError} */
export async function creatingDriver(graph: BlockGraph, name: string): Promise<DriverDefinition> {
  const definition = await graph.drivers.load(name);
  if (definition?.create !== undefined && (definition.kind === "protocol" || name !== "raw")) return definition;
  throw new BlockError({ kind: "unsupported", feature: "create", text: "Driver does not support blockdev-create" });
}

/**
 * Makes an image; values have the names of `qemu-img create`. What was in the node is overwritten where the image needs
 * the place.
 * @throws {BlockError} where values, permissions or the node stand against it
 */
export async function createIn(
  graph: BlockGraph,
  format: DriverDefinition,
  values: CreateValues,
  places: ImagePlaces,
): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const open = async (place: BlockdevRef): Promise<BlockNode> => {
    const node = await graph.open(place);
    opened.defer(() => graph.release(node));
    const user = new BlockBackend({
      graph,
      used: Permission.write | Permission.resize,
      shared: ALL_PERMISSIONS,
    });
    opened.use(user);
    await user.insertMedium(node);
    return node;
  };
  const file = await open(places.file);
  const dataFile = places.dataFile === undefined ? undefined : await open(places.dataFile);
  if (file.readOnly) throw new BlockError({ kind: "permission", node: file.name, text: "Block node is read-only" });
  const { clocks, random, secrets } = graph;
  await format.create!({ ...values, ...(dataFile === undefined ? {} : { data_file: dataFile.filename }) }, {
    filename: file.filename,
    clocks,
    random,
    secrets,
    file,
    createFile: (name) => dataFile === undefined ? graph.openImage({ filename: name }) : Promise.resolve(dataFile),
    openBacking: (filename, driver) =>
      graph.openImage({ filename, options: { ...(driver === undefined ? {} : { driver }), "read-only": true } }),
  });
  await file.flush();
  await dataFile?.flush();
}
