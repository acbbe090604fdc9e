import { assert, assertEquals } from "@std/assert";
import type { JsonObject, JsonValue } from "../../base/json/mod.ts";
import { parseJson } from "../../base/json/mod.ts";
import { DRIVER_OPTIONS, OBJECT_TYPES } from "../../block/mod.ts";
import { haveProgram, run } from "../../tests/support/programs.ts";
import { allQmpCommands } from "./commands/mod.ts";
import { describeSchema } from "./introspection.ts";
import { NEWER_COMMANDS, NEWER_EVENTS, NEWER_MEMBERS } from "./newer.ts";

const DRIVERS = Object.keys(DRIVER_OPTIONS);
const OBJECTS = OBJECT_TYPES.map(({ name }) => name);

/** A schema by the names of its entries. */
type Schema = ReadonlyMap<string, JsonObject>;

function byName(entries: readonly JsonValue[]): Schema {
  return new Map((entries as JsonObject[]).map((entry) => [entry["name"] as string, entry]));
}

/** The type `name` without the numbers that types are called by; one that is being written already is named by its depth. */
function shape(schema: Schema, name: string, newer: readonly string[], above: readonly string[] = []): JsonValue {
  if (above.includes(name)) return `^${above.length - above.indexOf(name)}`;
  const entry = schema.get(name)!;
  const inner = [...above, name];
  const member = (one: JsonValue) => {
    const { type, ...rest } = one as JsonObject;
    return { ...rest, type: shape(schema, type as string, newer, inner) };
  };
  const { name: _, ...rest } = entry;
  switch (entry["meta-type"]) {
    case "array":
      return [shape(schema, entry["element-type"] as string, newer, inner)];
    case "object":
    case "alternate":
      return {
        ...rest,
        members: (entry["members"] as JsonObject[]).filter((one) => !newer.includes(one["name"] as string)).map(member)
          .sort(byMember),
        ...("variants" in entry ? { variants: variants(entry).map(member).sort(byMember) } : {}),
      };
    case "enum": {
      const values = (entry["members"] as JsonObject[]).map((one) => one["name"] as string);
      return values.sort();
    }
    default:
      return name;
  }
}

/** Of drivers and objects those that are here. */
function variants(entry: JsonObject): JsonObject[] {
  const all = entry["variants"] as JsonObject[];
  const known = entry["tag"] === "driver" ? DRIVERS : entry["tag"] === "qom-type" ? OBJECTS : undefined;
  return known === undefined ? all : all.filter((one) => known.includes(one["case"] as string));
}

function byMember(a: JsonValue, b: JsonValue): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

function shapes(schema: Schema, entry: JsonObject, newer: readonly string[] = []): JsonValue {
  const { "meta-type": kind, "allow-oob": oob = false, features = [] } = entry;
  return {
    kind: kind!,
    oob,
    features,
    takes: shape(schema, entry["arg-type"] as string, newer),
    ...("ret-type" in entry ? { answers: shape(schema, entry["ret-type"] as string, newer) } : {}),
  };
}

Deno.test({
  name: "every command and event has the types that QEMU's schema gives it, but for what newer.ts lists",
  ignore: !haveProgram("qemu-system-x86_64"),
  async fn() {
    const { stdout } = await run("sh", [
      "-c",
      `(echo '{"execute":"qmp_capabilities"}{"execute":"query-qmp-schema"}'; sleep 1; echo '{"execute":"quit"}') |
        qemu-system-x86_64 -accel tcg -S -display none -nodefaults -qmp stdio`,
    ]);
    const answer = parseJson(stdout.split("\n").find((line) => line.includes('"meta-type"'))!) as JsonObject;
    const theirs = byName(answer["return"] as JsonValue[]);
    for (const strict of [true, false]) {
      const ours = byName(describeSchema(allQmpCommands({ strict })));
      const said = [...ours].filter(([, entry]) => ["command", "event"].includes(entry["meta-type"] as string));
      assert(said.length > 30);
      const unknown = said.map(([name]) => name).filter((name) => !theirs.has(name));
      assertEquals(unknown, strict ? NEWER_COMMANDS : [...NEWER_COMMANDS, ...NEWER_EVENTS]);
      for (const [name, entry] of said) {
        if (unknown.includes(name)) continue;
        const newer = strict && name.startsWith("query-") ? [] : NEWER_MEMBERS[name];
        assertEquals(shapes(ours, entry, newer), shapes(theirs, theirs.get(name)!, newer), name);
      }
    }
  },
});
