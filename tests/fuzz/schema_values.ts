/**
 * Arguments for QMP commands, made from what `query-qmp-schema` says: mostly as they have to be, some of them not.
 *
 * @module
 */
import type { SeededRandom } from "../../base/random.ts";

/** An entry of the schema, as far as it is looked at: QEMU's SchemaInfo. */
export interface Schema {
  readonly name: string;
  readonly "meta-type": string;
  readonly "json-type"?: string;
  readonly "arg-type"?: string;
  readonly "element-type"?: string;
  readonly values?: readonly string[];
  readonly members?: readonly { readonly name?: string; readonly type: string; readonly default?: unknown }[];
  readonly tag?: string;
  readonly variants?: readonly { readonly case: string; readonly type: string }[];
}

const MAX_DEPTH = 6;
const NUMBERS = [0, 1, -1, 2, 511, 512, 4096, 65536, 1 << 20, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53), 1e18, 0.5];

/** Makes them. */
export class SchemaValues {
  readonly #random: SeededRandom;
  readonly #types: ReadonlyMap<string, Schema>;
  readonly #texts: readonly string[];

  /** @param texts what strings are */
  constructor(random: SeededRandom, schema: readonly Schema[], texts: readonly string[]) {
    this.#random = random;
    this.#types = new Map(
      schema.map((entry) => [`${entry["meta-type"] === "command" ? "!" : ""}${entry.name}`, entry]),
    );
    this.#texts = texts;
  }

  /** The names of all commands. */
  get commands(): readonly string[] {
    return [...this.#types.values()].filter((entry) => entry["meta-type"] === "command").map(({ name }) => name);
  }

  /** Something for `command` to be called with. */
  argumentsOf(command: string): unknown {
    if (this.#random.below(30) === 0) return this.#nonsense();
    return this.#value(this.#types.get(`!${command}`)!["arg-type"]!, 0);
  }

  #value(type: string, depth: number): unknown {
    const random = this.#random;
    if (depth > MAX_DEPTH || random.below(25) === 0) return this.#nonsense();
    const entry = this.#types.get(type)!;
    switch (entry["meta-type"]) {
      case "enum":
        return random.below(20) === 0
          ? this.#text()
          : this.#pick(entry.values ?? entry.members!.map(({ name }) => name!));
      case "array":
        return Array.from({ length: random.below(4) }, () => this.#value(entry["element-type"]!, depth + 1));
      case "object":
        return this.#object(entry, depth);
      case "alternate":
        return this.#value(this.#pick(entry.members!).type, depth + 1);
      default:
        return this.#scalar(entry["json-type"]);
    }
  }

  #object(entry: Schema, depth: number): Record<string, unknown> {
    const random = this.#random;
    const made: Record<string, unknown> = {};
    for (const { name, type, ...rest } of entry.members ?? []) {
      const isOptional = "default" in rest;
      if (isOptional ? random.below(3) > 0 : random.below(30) === 0) continue;
      made[name!] = this.#value(type, depth + 1);
    }
    const variant = entry.variants?.find((one) => one.case === made[entry.tag!]);
    if (variant !== undefined) Object.assign(made, this.#object(this.#types.get(variant.type)!, depth));
    if (random.below(30) === 0) made[this.#text()] = this.#nonsense();
    return made;
  }

  #scalar(kind: string | undefined): unknown {
    switch (kind) {
      case "string":
        return this.#text();
      case "int":
      case "number":
        return this.#pick(NUMBERS);
      case "boolean":
        return this.#random.below(2) === 0;
      case "null":
        return null;
      default:
        return this.#nonsense();
    }
  }

  #nonsense(): unknown {
    return this.#pick([null, true, {}, [], [[]], { a: { b: [] } }, "", "x", 1.5, this.#text(), this.#pick(NUMBERS)]);
  }

  #text(): string {
    return this.#pick(this.#texts);
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)]!;
  }
}
