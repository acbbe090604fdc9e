/**
 * `-add-fd`: descriptors that this process inherited, for files called `/dev/fdset/N`.
 *
 * @module
 */
import { QemuOpts } from "../../base/keyval.ts";
import { BlockError, FdSets } from "../../block/mod.ts";
import { OPTION_GROUPS } from "../../machine/mod.ts";
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

/** One of them as it is wanted. */
export interface DescriptorWish {
  readonly origin: string;
  readonly descriptor: number;
  readonly set: number;
  readonly opaque: string | undefined;
}

/** Larger ones are negative numbers that went around. */
const MAX_NUMBER = 2 ** 31 - 1;

/** Reads the option; nothing is taken in yet. @throws {CommandLineError} in QEMU's words */
export function readAddFd(text: string, origin: string, settings: Settings): void {
  const options = QemuOpts.parse(text, { table: OPTION_GROUPS["add-fd"] });
  const number = (name: string) => {
    const value = options.getNumber(name);
    if (value !== undefined && value <= MAX_NUMBER) return value;
    throw new CommandLineError(`${name} option is required and must be non-negative`);
  };
  const descriptor = number("fd");
  if (descriptor < 3) throw new CommandLineError("fd cannot be a standard I/O stream");
  settings.descriptors.push({ origin, descriptor, set: number("set"), opaque: options.get("opaque") });
}

/** Takes them all in; the numbers that they came under are free afterwards. @throws {CommandLineError} */
export function takeDescriptors(wishes: readonly DescriptorWish[]): FdSets {
  using undo = new DisposableStack();
  const sets = undo.use(new FdSets());
  for (const { origin, descriptor, set, opaque } of wishes) {
    try {
      sets.add(set, descriptor, opaque);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      throw new CommandLineError(error.message, origin);
    }
  }
  sets.closeInherited();
  undo.move();
  return sets;
}
