/**
 * Messages for the user, with the option that they are about in front.
 *
 * @module
 */
import type { Program } from "../common/program.ts";
import { CONFIG_MARK } from "./read_config.ts";

/** `qemu-system-x86_64: -drive file=x: text`; a place in a file follows the name without a blank, as QEMU has it. */
export function say(program: Program, text: string, origin?: string): void {
  if (origin?.startsWith(CONFIG_MARK)) program.line(`${program.name}:${origin.slice(CONFIG_MARK.length)}: ${text}`);
  else if (program.strict && OF_LOADER.test(text)) program.line(`qemu: ${text}`);
  else program.error(origin === undefined ? text : `${origin}: ${text}`);
}

/** Messages before which QEMU has a name of its own, whatever the program is called. */
const OF_LOADER =
  /^(could not (open kernel file|load kernel|load PC BIOS) |error reading initrd |initrd is too large,)/;
