/**
 * `--object`: what is made for the whole command line, such as the secrets that its images need.
 *
 * @module
 */
import { OptionError } from "../../base/keyval.ts";
import { BlockError, ObjectRegistry, parseObject } from "../../block/mod.ts";
import { Exit, type Program } from "./program.ts";

/** The objects of this command line. */
export function objectsOf(program: Program): ObjectRegistry {
  return program.objects ??= new ObjectRegistry();
}

/** Makes the object that `text` describes, or tells what there is. @throws {Exit} 0 after help, 1 after a refusal */
export function addObject(program: Program, text: string): void {
  try {
    const wanted = parseObject(text);
    if (wanted.kind === "object") {
      objectsOf(program).add(wanted.properties, { strict: text.startsWith("{") });
      return;
    }
    program.out(wanted.text);
  } catch (error) {
    if (!(error instanceof BlockError) && !(error instanceof OptionError)) throw error;
    program.report("", error);
    throw new Exit(1);
  }
  throw new Exit(0);
}
