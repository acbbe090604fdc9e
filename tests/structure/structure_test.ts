import { assertEquals } from "@std/assert";
import { importsOf, violations } from "./rules.ts";

const ROOT = new URL("../../", import.meta.url);
const FOLDERS = ["base", "block", "devices", "machine", "monitor", "scripts", "tests", "tools"];

function read(folder: string, into: Map<string, string>): void {
  for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) read(path, into);
    else if (/\.(ts|md)$/.test(entry.name)) into.set(path, Deno.readTextFileSync(new URL(path, ROOT)));
  }
}

Deno.test("the source tree keeps its rules", () => {
  const tree = new Map<string, string>();
  for (const folder of FOLDERS) read(folder, tree);
  try {
    tree.set("mod.ts", Deno.readTextFileSync(new URL("mod.ts", ROOT)));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  assertEquals(violations(tree), []);
});

const HEAD = "/** What. */\n";

/** Says what the rules make of one planted file. */
function planted(path: string, text: string): string[] {
  const readme = `${path.slice(0, path.lastIndexOf("/"))}/README.md`;
  return violations(new Map([[path, HEAD + text], [readme, "what\n"]]));
}

Deno.test("canary: each rule finds its planted violation", () => {
  const rows: [string, string, string][] = [
    ["base/a.ts", 'import { x } from "../block/mod.ts";', "base must not know block"],
    ["block/a.ts", 'import type { X } from "../devices/bus/mod.ts";', "block must not know bus"],
    ["block/a.ts", 'const x = await import("../monitor/mod.ts");', "block must not know monitor"],
    ["block/a.ts", 'let x: import("../machine/mod.ts").M;', "block must not know machine"],
    ["devices/bus/a.ts", 'export * from "../../block/mod.ts";', "bus must not know block"],
    ["devices/ide/a.ts", 'import { x } from "../../machine/mod.ts";', "devices must not know machine"],
    ["devices/ide/a.ts", 'import { x } from "../bus/pci.ts";', "enter devices/bus through its mod.ts"],
    ["devices/ide/a.ts", 'import { x } from "../chipset/x.ts";', "enter devices/chipset through its mod.ts"],
    ["devices/ide/a.ts", 'import {\n  x,\n} from "../../block/backend.ts";', "enter block through its mod.ts"],
    ["machine/guest/a.ts", 'import { x } from "../../block/mod.ts";', "guest must not know block"],
    ["machine/guest/a.ts", 'import { x } from "../../devices/ide/mod.ts";', "guest must not know devices"],
    ["machine/guest/a.ts", 'import { x } from "../machine.ts";', "guest must not know machine"],
    ["scripts/a.ts", 'import { x } from "../monitor/mod.ts";', "scripts must not know monitor"],
    ["monitor/a.ts", 'import "../tools/moa.ts";', "monitor must not know tools"],
    ["block/filters/throttle.ts", 'import { x } from "../protocols/file.ts";', "never import one another"],
    ["tools/a.ts", 'import { x } from "../tests/support/temp.ts";', "no layer has tests/support/temp.ts"],
    ["block/formats/raw/a.ts", 'import { x } from "../qcow2/mod.ts";', "never import one another"],
    ["block/open.ts", 'import { x } from "./formats/qcow2/mod.ts";', "only block/drivers.ts knows the drivers"],
  ];
  for (const [path, text, wrong] of rows) {
    const found = planted(path, text);
    assertEquals([found.length, found[0]?.endsWith(wrong)], [1, true], `${path}: ${text}: ${found}`);
  }
  assertEquals(violations(new Map([["base/a.ts", HEAD]])), ["base: has no README.md"]);
  assertEquals(violations(new Map([["base/a.ts", "x"], ["base/README.md", ""]])).length, 1);
  assertEquals(planted("base/a.ts", "x\n".repeat(500)), ["base/a.ts: 501 lines, at most 500"]);
  assertEquals(violations(new Map([["base/a.ts", HEAD], ["base/README.md", "x\n".repeat(61)]])).length, 1);
});

Deno.test("what is allowed is not complained about", () => {
  const rows: [string, string][] = [
    ["block/drivers.ts", 'const load = () => import("./formats/qcow2/mod.ts");'],
    ["block/formats/qcow2/a.ts", 'import { x } from "../../driver.ts";\nimport { y } from "./b.ts";'],
    ["devices/ide/a.ts", 'import { x } from "../../block/mod.ts";\nimport { y } from "../../base/bits.ts";'],
    ["scripts/a.ts", 'import { Vm } from "../mod.ts";'],
    ["base/a_test.ts", 'import { x } from "../block/backend.ts";'],
    ["base/a.ts", '/** {@link import("../block/node.ts").N} */\n// import "../block/mod.ts";\nimport "@std/assert";'],
  ];
  for (const [path, text] of rows) assertEquals(planted(path, text), [], path);
  assertEquals(importsOf('import a, { b as c } from "x";\nexport type { T } from "y";\nimport * as n from \'z\''), [
    "x",
    "y",
    "z",
  ]);
});
