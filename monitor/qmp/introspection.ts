/**
 * `query-qmp-schema`: what there is to say and to hear, made of the declarations.
 *
 * Types have numbers for names, as in QEMU, so that nobody relies on these.
 *
 * Source: docs/devel/qapi-code-gen, "Client JSON Protocol introspection".
 *
 * @module
 */
import type { JsonObject, JsonValue } from "../../base/json/mod.ts";
import { empty, type Member, type StructShape, type Type, type UnionShape } from "../schema/qapi/types.ts";
import type { AnyQmpCommand, QmpEvent } from "./command.ts";
import type { QmpRegistry } from "./registry.ts";

/** JSON's name of a builtin type. */
const BUILTINS = { str: "string", bool: "boolean", null: "null", any: "value", number: "number", int: "int" } as const;

/** All entries: commands, events, then the types that they need. */
export function describeSchema(registry: QmpRegistry): JsonObject[] {
  const types = new TypeNames(registry.strict);
  // The empty object has the first number.
  types.nameOf(empty);
  const commands = registry.commands.map((command) => describeCommand(command, types));
  const events = registry.events.map((event) => describeEvent(event, types));
  return [...commands, ...events, ...types.describe()];
}

function describeCommand(command: AnyQmpCommand, types: TypeNames): JsonObject {
  return {
    name: command.name,
    "meta-type": "command",
    "arg-type": types.nameOf(command.described ?? command.data),
    "ret-type": types.nameOf(command.returns ?? empty),
    ...(command.outOfBand === true ? { "allow-oob": true } : {}),
    ...featuresOf(command.features),
  };
}

function describeEvent(event: QmpEvent, types: TypeNames): JsonObject {
  return { name: event.name, "meta-type": "event", "arg-type": types.nameOf(event.data) };
}

function featuresOf(features: readonly string[] | undefined): { features?: JsonValue[] } {
  return features === undefined ? {} : { features: [...features] };
}

/** Types by the names that they get when they are first met. */
class TypeNames {
  readonly #names = new Map<Type, string>();
  readonly #entries: JsonObject[] = [];
  readonly #known = new Set<string>();
  readonly #toDescribe: { readonly name: string; readonly type: Type }[] = [];
  #next = 0;
  readonly #strict: boolean;

  constructor(strict: boolean) {
    this.#strict = strict;
  }

  nameOf(type: Type): string {
    const known = this.#names.get(type);
    if (known !== undefined) return known;
    const name = this.#newName(type);
    this.#names.set(type, name);
    if (this.#known.has(name)) return name;
    this.#known.add(name);
    this.#toDescribe.push({ name, type });
    return name;
  }

  #newName(type: Type): string {
    switch (type.kind) {
      case "array":
        return `[${this.nameOf(type.element)}]`;
      case "struct":
        return Object.keys(type.members).length === 0 && this.#next > 0 ? "0" : String(this.#next++);
      case "union":
      case "enum":
      case "alternate":
        return String(this.#next++);
      case "str":
      case "bool":
      case "null":
      case "any":
      case "number":
        return type.kind;
      default:
        return "int";
    }
  }

  /** One entry for each type that was named; describing one may name others. */
  describe(): JsonObject[] {
    for (let at = 0; at < this.#toDescribe.length; at++) {
      const { name, type } = this.#toDescribe[at]!;
      this.#entries.push({ name, ...this.#body(name, type) });
    }
    return this.#entries;
  }

  #body(name: string, type: Type): JsonObject {
    switch (type.kind) {
      case "array":
        return { "meta-type": "array", "element-type": this.nameOf(type.element) };
      case "enum":
        return {
          "meta-type": "enum",
          members: type.values.map((value) => ({ name: value })),
          values: [...type.values],
        };
      case "struct":
        return { "meta-type": "object", members: this.#members(type), ...featuresOf(type.features) };
      case "union":
        return this.#union(type);
      case "alternate":
        return { "meta-type": "alternate", members: type.choices.map((choice) => ({ type: this.nameOf(choice) })) };
      default:
        return { "meta-type": "builtin", "json-type": BUILTINS[name as keyof typeof BUILTINS] };
    }
  }

  #members(type: StructShape): JsonObject[] {
    const shown = Object.entries(type.members).filter(([, { newer }]) => !this.#strict || newer !== true);
    return shown.map(([name, member]: [string, Member]) => ({
      name,
      ...(member.optional ? { default: null } : {}),
      type: this.nameOf(member.type),
      ...featuresOf(member.features),
    }));
  }

  #union(type: UnionShape): JsonObject {
    const tag = type.base.members[type.discriminator]!.type;
    const words = tag.kind === "enum" ? tag.values : Object.keys(type.branches);
    return {
      "meta-type": "object",
      members: this.#members(type.base),
      tag: type.discriminator,
      variants: words.map((word) => ({ case: word, type: this.nameOf(type.branches[word] ?? empty) })),
    };
  }
}
