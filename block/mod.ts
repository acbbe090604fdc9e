/**
 * The block layer: nodes, graph, backends, and the types that drivers and users share.
 *
 * @module
 */
export * from "./backend.ts";
export * from "./bitmap.ts";
export * from "./driver.ts";
export * from "./drivers.ts";
export * from "./errors.ts";
export * from "./graph.ts";
export { BlockNode } from "./node.ts";
export type { BeforeWrite, NodeOptions, WriteNotice } from "./node.ts";
export type { ImageRequest } from "./open.ts";
export * from "./options/blockdev.ts";
export * from "./permissions.ts";
export * from "./statistics.ts";
