/**
 * What to type when a permission is missing: one command line instead of a stack trace.
 *
 * The named sets are those of `deno.json`, which is their only place. On a terminal Deno asks for itself; without one
 * nobody could answer, so the program says what to type and ends with status 2.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };

/** A named permission set of `deno.json`: `"start"`, `"img"`, `"script"` ... */
export type PermissionSetName = keyof typeof config.permissions;

/** The kinds of permission in `name` that this process does not have. */
export function missingPermissions(name: PermissionSetName): string[] {
  const set: Readonly<Record<string, true | readonly string[]>> = config.permissions[name] as never;
  return Object.keys(set).filter((kind) => {
    const descriptors = describe(kind as Deno.PermissionName, set[kind]!);
    return descriptors.some((descriptor) => Deno.permissions.querySync(descriptor).state !== "granted");
  });
}

function describe(kind: Deno.PermissionName, value: true | readonly string[]): Deno.PermissionDescriptor[] {
  if (value === true) return [{ name: kind }];
  return value.map((item) => {
    switch (kind) {
      case "sys":
        return { name: kind, kind: item as "uid" };
      case "env":
        return { name: kind, variable: item };
      case "run":
        return { name: kind, command: item };
      case "net":
        return { name: kind, host: item };
      default:
        return { name: kind, path: item };
    }
  });
}

/** The folder of `deno.json`. */
const HOME = new URL("../", import.meta.url).href;

/**
 * The command line that runs `module` with the permissions of `name`. Deno looks for `deno.json` in the program's own folder
 * and those above; a program that lies elsewhere needs to be told.
 */
export function commandLine(name: PermissionSetName, module: string, args: readonly string[]): string {
  const isElsewhere = module.startsWith("file:") && HOME.startsWith("file:") && !module.startsWith(HOME);
  const config = isElsewhere ? [`--config=${shown(`${HOME}deno.json`)}`] : [];
  return ["deno", "run", ...config, `-P=${name}`, shown(module), ...args].map(quote).join(" ");
}

/** A module's file as seen from here. */
function shown(module: string): string {
  const file = module.startsWith("file:") ? decodeURIComponent(new URL(module).pathname) : module;
  const here = `${Deno.cwd()}/`;
  return file.startsWith(here) ? file.slice(here.length) : file;
}

function quote(word: string): string {
  return /^[\w./=:,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Sees to it that the program has the permissions of `name`, before the first of them is used.
 *
 * All but `ffi` must be there (without it moa reads and writes more slowly, and says what is lost). On a terminal it
 * returns at once and Deno prompts as it goes; without one it writes the command line to standard error and exits with 2.
 */
export function requirePermissions(name: PermissionSetName): void {
  const missing = missingPermissions(name).filter((kind) => kind === "read" || kind === "write" || kind === "env");
  if (missing.length === 0 || Deno.stdin.isTerminal()) return;
  console.error(`moa: no permission to use ${missing.join(", ")}. Run it so:`);
  console.error(`  ${commandLine(name, Deno.mainModule, Deno.args)}`);
  Deno.exit(2);
}
