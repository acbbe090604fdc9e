/**
 * qemu-io's commands, for the prompt's `qemu-io` and for `moa io`.
 *
 * @module
 */
import * as breakpoints from "./breakpoints.ts";
import type { IoCommand } from "./command.ts";
import * as inspect from "./inspect.ts";
import { reopen } from "./reopen.ts";
import * as transfer from "./transfer.ts";

export { IoBackground } from "./background.ts";
export {
  helpLine,
  type IoCall,
  type IoCommand,
  type IoContext,
  type IoOutput,
  IoRefusal,
  parseNumber,
  runIoLine,
  usage,
} from "./command.ts";
export { getopt } from "./getopt.ts";
export { readPattern } from "./pattern_file.ts";
export type { IoScreen, IoSession } from "./terminal.ts";

/** The prompt for a person; loaded when there is one, since editing lines takes a while to load. */
export const loadIoTerminal = (): Promise<typeof import("./terminal.ts")> => import("./terminal.ts");

/** The commands that work on an open image, by name; a tool adds those that open and close one. */
export function ioCommands(extra: readonly IoCommand[] = []): readonly IoCommand[] {
  const all = [...Object.values(transfer), ...Object.values(breakpoints), ...Object.values(inspect), reopen, ...extra];
  return all.sort((a, b) => a.name < b.name ? -1 : 1);
}
