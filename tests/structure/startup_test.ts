/**
 * What short commands load at their start: none of Node's modules, each of which costs milliseconds; they come when they
 * are used. Dynamic imports are not followed, so each format that is asked about an image stands here itself.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { must } from "../support/programs.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

const STARTS = [
  "tools/moa.ts",
  "tools/img/info.ts",
  "tools/img/create.ts",
  "tools/img/snapshot.ts",
  "tools/io/main.ts",
  "block/formats/raw/raw.ts",
  "block/formats/qcow2/mod.ts",
  "block/formats/luks/mod.ts",
  "block/protocols/file.ts",
];

/** What `deno info --json` says of a module. */
interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly isDynamic?: boolean;
    readonly code?: { readonly specifier?: string };
  }[];
}

Deno.test("short commands load none of Node's modules at their start", async () => {
  const found: string[] = [];
  for (const start of STARTS) {
    const { modules } = JSON.parse(await must(Deno.execPath(), ["info", "--json", start], { cwd: ROOT })) as {
      modules: readonly Module[];
    };
    const byName = new Map(modules.map((module) => [module.specifier, module]));
    const seen = new Set([`file://${ROOT}${start}`]);
    for (const specifier of seen) {
      if (specifier.startsWith("node:")) found.push(`${start} loads ${specifier}`);
      for (const { isDynamic, code } of byName.get(specifier)?.dependencies ?? []) {
        if (isDynamic !== true && code?.specifier !== undefined) seen.add(code.specifier);
      }
    }
    // The graph was understood.
    assert(seen.size > 1, start);
  }
  assertEquals(found, []);
});
