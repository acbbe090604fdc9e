/**
 * What `format=help` lists: the drivers that there are.
 *
 * @module
 */
import type { DriverTable } from "../../block/mod.ts";

/** Two lines, of drivers that write and of those that read; all of moa's do both. */
export function formatsHelp(drivers: DriverTable): string {
  const names = drivers.names.toSorted().join(" ");
  return `Supported formats: ${names}\nSupported formats (read-only): ${names}\n`;
}
