/**
 * The shape of the source tree as rules: who may import whom, and how large things get.
 *
 * Takes a tree as a map from path to text, so that a planted violation can prove that each rule bites. Imports are found
 * in the text with comments taken out: static, dynamic, re-exports and type-only ones alike.
 *
 * @module
 */

/** Paths from the root of the repository, without `./`, and their text. */
export type Tree = ReadonlyMap<string, string>;

/** Longest file, README and head. */
export const LIMITS = { fileLines: 500, readmeLines: 60 } as const;

/** What each layer may import besides itself; the order is that of the picture in ARCHITECTURE.md. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  base: [],
  block: ["base"],
  bus: ["base"],
  devices: ["base", "block", "bus"],
  guest: ["base", "bus"],
  machine: ["base", "block", "bus", "devices", "guest"],
  monitor: ["base", "block", "bus", "devices", "guest", "machine"],
  tools: ["base", "block", "bus", "devices", "guest", "machine", "monitor", "api"],
  api: ["base", "block", "bus", "devices", "guest", "machine", "monitor"],
  scripts: ["api"],
};

/** Every violation in `tree`, one line each: the file, and what is wrong. */
export function violations(tree: Tree): string[] {
  const found: string[] = [];
  for (const [path, text] of [...tree].sort(([a], [b]) => a < b ? -1 : 1)) {
    if (!path.endsWith(".ts")) continue;
    const lines = text.split("\n").length - 1;
    if (lines > LIMITS.fileLines) found.push(`${path}: ${lines} lines, at most ${LIMITS.fileLines}`);
    if (isTest(path)) continue;
    if (!/^(#!.*\n)?\/\*\*/.test(text)) found.push(`${path}: does not begin by saying what it is`);
    for (const specifier of importsOf(text)) {
      if (!specifier.startsWith(".")) continue;
      const target = resolve(path, specifier);
      if (target === "deno.json") continue;
      const wrong = judge(path, target);
      if (wrong !== undefined) found.push(`${path}: imports ${target}: ${wrong}`);
    }
  }
  return [...found, ...readmes(tree)];
}

/** The specifiers of all imports in a module's text. */
export function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const patterns = [
    /\b(?:import|export)\s+(?:type\s+)?(?:[\w$*\s{},]+?\sfrom\s*)?["']([^"']+)["']/g,
    /\bimport\s*\(\s*["']([^"']+)["']/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]!));
}

function judge(from: string, to: string): string | undefined {
  const source = layerOf(from);
  const target = layerOf(to);
  if (source === undefined || target === undefined) return `no layer has ${target === undefined ? to : from}`;
  if (source !== target && !ALLOWED[source]!.includes(target)) return `${source} must not know ${target}`;
  const unit = unitOf(to);
  if (unit !== undefined && !within(unit, unitOf(from)) && to !== `${unit}/mod.ts`) {
    return `enter ${unit} through its mod.ts`;
  }
  const driver = driverOf(to);
  if (driver !== undefined && driver !== driverOf(from)) {
    // Protocols may share: host_device is a file that is a device.
    if (from.startsWith("block/protocols/") && to.startsWith("block/protocols/")) return undefined;
    if (driverOf(from) !== undefined) return "formats and filters never import one another";
    if (from !== "block/drivers.ts") return "only block/drivers.ts knows the drivers";
  }
  return undefined;
}

function layerOf(path: string): string | undefined {
  if (path === "mod.ts") return "api";
  if (path.startsWith("devices/bus/")) return "bus";
  if (path.startsWith("machine/guest/")) return "guest";
  const top = path.slice(0, Math.max(0, path.indexOf("/")));
  return Object.hasOwn(ALLOWED, top) ? top : undefined;
}

/** The folder that outsiders enter through its `mod.ts`; files of base and the tools' own are imported directly. */
function unitOf(path: string): string | undefined {
  return /^(?:block|devices\/[^/]+|machine\/guest|machine|monitor\/(?:format|io)|monitor)(?=\/)/.exec(path)?.[0];
}

/** Whether both are the same, or one lies in the other: those share a house. */
function within(unit: string, other: string | undefined): boolean {
  return other !== undefined && (unit === other || unit.startsWith(`${other}/`) || other.startsWith(`${unit}/`));
}

/** The format, protocol or filter that a path belongs to: a folder, or a file with its test. */
function driverOf(path: string): string | undefined {
  return /^block\/(?:formats|protocols|filters)\/[^/]+(?=\/)/.exec(path)?.[0] ??
    /^block\/(?:formats|protocols|filters)(?=\/[^/]+\.ts$)/.exec(path)?.[0];
}

function isTest(path: string): boolean {
  return path.startsWith("tests/") || path.endsWith("_test.ts") || /\/testing(?:\/|\.ts$)/.test(path);
}

function readmes(tree: Tree): string[] {
  const found: string[] = [];
  const folders = new Set([...tree.keys()].filter((path) => path.endsWith(".ts") && path.includes("/")).map(folderOf));
  for (const folder of [...folders].sort()) {
    const readme = tree.get(`${folder}/README.md`);
    if (readme === undefined) found.push(`${folder}: has no README.md`);
    else if (readme.split("\n").length - 1 > LIMITS.readmeLines) {
      found.push(`${folder}/README.md: more than ${LIMITS.readmeLines} lines`);
    }
  }
  return found;
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** Comments become blanks; strings, where `//` may stand, stay. */
function withoutComments(text: string): string {
  return text.replaceAll(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (_, literal: string | undefined) => literal ?? " ",
  );
}
