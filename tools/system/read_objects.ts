/**
 * `-object`: what is made before drives are opened, such as the secrets of encrypted images.
 *
 * @module
 */
import { BlockError, OBJECT_TYPES, parseObject } from "../../block/mod.ts";
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

/** Makes the object that `text` describes, or notes that a listing is wanted. @throws {CommandLineError} */
export function readObject(text: string, origin: string, settings: Settings): void {
  const wanted = refused(origin, () => parseObject(text, OBJECT_TYPES));
  if (wanted.kind === "help") {
    settings.listing ??= { kind: "object", text: wanted.text };
    return;
  }
  const { id } = wanted.properties;
  // QEMU's option list has its own word for this, before any object is made; JSON does not go through it.
  if (!text.startsWith("{") && typeof id === "string" && settings.objects.find(id) !== undefined) {
    throw new CommandLineError(`Duplicate ID '${id}' for object`, origin);
  }
  refused(origin, () => settings.objects.add(wanted.properties, { strict: text.startsWith("{") }));
}

function refused<T>(origin: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    throw new CommandLineError(error.message, origin, undefined, { advice: error.help });
  }
}
