/**
 * The objects of one machine or tool: what `--object`, `-object`, `object_add` and `object-add` make, found by id.
 *
 * A type is one row of {@link OBJECT_TYPES}.
 *
 * Source: qapi/qom.json; the texts are QEMU 7.2's.
 *
 * @module
 */
import { badIdentifier, isIdentifier } from "../../base/keyval.ts";
import { parseKeyval } from "../../base/keyval_tree.ts";
import type { SecretSource } from "../crypto/secret_source.ts";
import { BlockError } from "../errors.ts";
import { parseJson } from "../options/json.ts";
import { isTree, optionError, type OptionTree, type OptionValue } from "../options/tree.ts";
import type { ThrottleGroupObject, ThrottleGroupSource } from "../throttling/groups.ts";
import { iothreadType } from "./iothread.ts";
import { checkProperties, checkProperty, stringOf, valueOfText } from "./properties.ts";
import { Secret, secretType } from "./secret.ts";
import { ThrottleGroupHolder, throttleGroupType } from "./throttle_group.ts";
import { type ObjectType, QEMU_OBJECT_TYPES, type UserObject } from "./types.ts";

/** The types that machines and the storage daemon have. To add one: a row here, a file as secret.ts. */
export const OBJECT_TYPES: readonly ObjectType[] = [iothreadType, secretType, throttleGroupType];
/** Those of tools that work and end. */
export const TOOL_OBJECT_TYPES: readonly ObjectType[] = [secretType, throttleGroupType];

/** What a command line asks for: an object, or a text about objects. */
export type ObjectRequest =
  | { readonly kind: "object"; readonly properties: OptionTree }
  | { readonly kind: "help"; readonly text: string };

/**
 * Reads the argument of `--object`: `TYPE,id=...,NAME=...` or a JSON object; nothing is made yet.
 * @throws {BlockError} `option`; {@link OptionError} where the syntax is wrong
 */
export function parseObject(text: string, types: readonly ObjectType[] = TOOL_OBJECT_TYPES): ObjectRequest {
  if (text.startsWith("{")) {
    const tree = parseJson(text);
    if (!isTree(tree)) throw optionError("Invalid JSON object given");
    return { kind: "object", properties: tree };
  }
  const { tree, helpWanted } = parseKeyval(text, { impliedKey: "qom-type", helpAllowed: true });
  const properties = tree as OptionTree;
  return helpWanted
    ? { kind: "help", text: objectHelp(types, properties["qom-type"]) }
    : { kind: "object", properties };
}

/** A registry with what each text describes, as behind `--object`; texts that ask for help are left out. @throws as those */
export function registryOf(texts: readonly string[], types?: readonly ObjectType[]): ObjectRegistry {
  const objects = new ObjectRegistry(types);
  for (const text of texts) {
    const wanted = parseObject(text);
    if (wanted.kind === "object") objects.add(wanted.properties, { strict: text.startsWith("{") });
  }
  return objects;
}

/** The list of types or, for one that moa has, that of its properties. */
export function objectHelp(types: readonly ObjectType[], type?: unknown): string {
  const known = types.find(({ name }) => name === type);
  if (known === undefined) {
    const names = types.map(({ name }) => `  ${name}\n`).sort();
    return `List of user creatable objects:\n${names.join("")}`;
  }
  const rows = Object.entries(known.properties).filter(([, { deprecated }]) => deprecated !== true)
    .map(([name, { type }]) => `  ${name}=<${type}>\n`).sort();
  return `${known.name} options:\n${rows.join("")}`;
}

/**
 * All objects, by id.
 *
 * @example
 * ```ts
 * import { ObjectRegistry } from "./registry.ts";
 *
 * const objects = new ObjectRegistry();
 * objects.add({ "qom-type": "secret", id: "s0", data: "correct horse" });
 * const bytes = objects.secret("s0");
 * console.log(new TextDecoder().decode(bytes));
 * ```
 */
export class ObjectRegistry implements SecretSource, ThrottleGroupSource {
  readonly #objects = new Map<string, UserObject>();
  readonly #types: readonly ObjectType[];
  /** Whether a drive has made a throttle group of that name already; whoever keeps these says so. */
  groupExists: (name: string) => boolean = () => false;

  /** `types` are those that can be made. */
  constructor(types: readonly ObjectType[] = TOOL_OBJECT_TYPES) {
    this.#types = types;
  }

  /** In order of making. */
  get list(): readonly UserObject[] {
    return [...this.#objects.values()];
  }

  find(id: string): UserObject | undefined {
    return this.#objects.get(id);
  }

  /**
   * Makes an object of QEMU's ObjectOptions. `strict`: numbers are numbers, as JSON has them; else strings will do.
   * @throws {BlockError} or {@link OptionError} in QEMU's words
   */
  add(options: OptionTree, how: { readonly strict?: boolean } = {}): UserObject {
    const typeName = options["qom-type"];
    if (typeName === undefined) throw optionError("Parameter 'qom-type' is missing", "qom-type");
    const type = this.#types.find(({ name }) => name === typeName);
    if (typeof typeName !== "string" || (type === undefined && !QEMU_OBJECT_TYPES.includes(typeName))) {
      throw optionError(`Parameter 'qom-type' does not accept value '${typeName}'`, "qom-type");
    }
    const id = stringOf(options["id"], "id");
    if (id === undefined) throw optionError("Parameter 'id' is missing", "id");
    if (type === undefined) {
      throw new BlockError(
        { kind: "unsupported", feature: typeName, text: `invalid object type: ${typeName}` },
        { help: `moa has no '${typeName}' objects yet.` },
      );
    }
    const properties = checkProperties(type, options, how.strict ?? false);
    if (!isIdentifier(id)) throw badIdentifier("id");
    const made = type.make(id, properties, this);
    if (this.#objects.has(id)) {
      throw new BlockError({
        kind: "state",
        text: `attempt to add duplicate property '${id}' to object (type 'container')`,
      });
    }
    if (type === throttleGroupType && this.groupExists(id)) {
      throw new BlockError({ kind: "state", text: "A group with this name already exists" });
    }
    this.#objects.set(id, made);
    return made;
  }

  /** Takes an object away. @throws {BlockError} where there is none of that id, or somebody uses it */
  remove(id: string): void {
    const object = this.#objects.get(id);
    if (object === undefined) {
      throw new BlockError({ kind: "state", text: `object '${id}' not found`, errno: "ENOENT" });
    }
    if (object.isInUse === true) {
      throw new BlockError({ kind: "state", text: `object '${id}' is in use, can not be deleted`, errno: "EBUSY" });
    }
    this.#objects.delete(id);
  }

  /**
   * Changes a property of an object; with `asText` a string is the value as a user types it.
   *
   * @throws {BlockError} in QEMU's words
   */
  set(id: string, property: string, value: OptionValue, asText = false): void {
    const object = this.#objects.get(id)!;
    const row = OBJECT_TYPES.find(({ name }) => name === object.type)!.properties[property]!;
    const typed = asText && typeof value === "string" ? valueOfText(row, property, value) : value;
    object.set(property, checkProperty(row, property, typed, true));
  }

  throttleGroup(id: string): ThrottleGroupObject | undefined {
    const object = this.#objects.get(id);
    return object instanceof ThrottleGroupHolder ? object : undefined;
  }

  secret(id: string): Uint8Array {
    const object = this.#objects.get(id);
    if (object === undefined) {
      throw new BlockError({ kind: "state", text: `No secret with id '${id}'`, errno: "ENOENT" });
    }
    if (object instanceof Secret) return object.content;
    throw new BlockError({ kind: "state", text: `Object with id '${id}' is not a secret` });
  }
}
