/**
 * File names as people type them: `protocol:rest`, host devices, paths relative to another image.
 *
 * @module
 */
import type { DriverTable } from "../drivers.ts";
import { optionError } from "./tree.ts";
import { QEMU_DRIVERS } from "./schema.ts";
import { BlockError } from "../errors.ts";

/** QEMU's protocol prefixes that belong to drivers of another name. */
const PREFIXES: Readonly<Record<string, string>> = {
  fat: "vvfat",
  "nbd+tcp": "nbd",
  "nbd+unix": "nbd",
  "gluster+tcp": "gluster",
  "gluster+unix": "gluster",
  "gluster+rdma": "gluster",
  iser: "iscsi",
};

/** The part before the colon where the name begins with a protocol: `"nbd"` of `nbd:localhost:10809`. */
export function protocolOf(filename: string): string | undefined {
  const end = filename.search(/[:/]/);
  return end >= 0 && filename[end] === ":" ? filename.slice(0, end) : undefined;
}

/** Which protocol driver opens `filename`. @throws {BlockError} for one that there is not. */
export async function protocolDriver(filename: string, drivers: DriverTable): Promise<string> {
  const prefix = protocolOf(filename);
  if (prefix === undefined) {
    for (const name of ["host_cdrom", "host_device"]) {
      const definition = filename.startsWith("/") ? await drivers.load(name) : undefined;
      if ((definition?.probe?.(new Uint8Array(0), filename) ?? 0) > 0) return name;
    }
    return "file";
  }
  if (prefix === "file" || (drivers.names.includes(prefix) && prefix !== "raw")) return prefix;
  const known = PREFIXES[prefix] ?? prefix;
  throw new BlockError(
    { kind: "option", option: "file", text: `Unknown protocol '${prefix}'` },
    QEMU_DRIVERS.includes(known) ? { help: `moa has no driver '${known}' yet.` } : {},
  );
}

/** The path that a protocol driver of that name takes: `file:` goes, the rest stays, and begins with no other prefix. */
export function stripProtocol(driver: string, filename: string): string {
  const isFile = driver === "file" || driver === "host_device" || driver === "host_cdrom";
  const prefix = protocolOf(filename);
  if (!isFile || prefix === undefined || (prefix !== "file" && prefix !== driver)) return filename;
  const rest = filename.slice(prefix.length + 1);
  return protocolOf(rest) === undefined ? rest : `./${rest}`;
}

/** `name` as it is meant in an image at `imagePath`. @throws {BlockError} where the image has no place of its own. */
export function resolveAgainst(imagePath: string, name: string): string {
  if (name.startsWith("/") || name.startsWith("json:") || protocolOf(name) !== undefined) return name;
  if (imagePath.startsWith("json:")) {
    throw optionError(`Cannot use relative paths with JSON image files: the image has no directory`);
  }
  return imagePath.slice(0, imagePath.lastIndexOf("/") + 1) + name;
}
