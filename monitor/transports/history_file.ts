/**
 * Lines that were typed on a terminal, kept over runs in a file of the user's.
 *
 * Where the file cannot be had (no home, no permission) the history lasts as long as the program.
 *
 * @module
 */

const MAX_LINES = 1000;

/** Where the history of `prompt` is kept: below `$XDG_STATE_HOME`, or `~/.local/state`; `undefined` where there is no home. */
export function historyPath(
  environment: { get(name: string): string | undefined },
  prompt = "history",
): string | undefined {
  const state = environment.get("XDG_STATE_HOME");
  const home = environment.get("HOME");
  if (state !== undefined && state.startsWith("/")) return `${state}/moa/${prompt}`;
  return home === undefined || home === "" ? undefined : `${home}/.local/state/moa/${prompt}`;
}

/** Lines of earlier runs, the oldest first. */
export async function loadHistory(path: string): Promise<string[]> {
  try {
    return (await Deno.readTextFile(path)).split("\n").filter((line) => line !== "").slice(-MAX_LINES);
  } catch {
    return [];
  }
}

/** Writes `lines`; readable by the user only, since a line may name things. */
export async function saveHistory(path: string, lines: readonly string[]): Promise<void> {
  try {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
    const temporary = `${path}.new`;
    await Deno.writeTextFile(temporary, lines.slice(-MAX_LINES).map((line) => `${line}\n`).join(""), { mode: 0o600 });
    await Deno.rename(temporary, path);
  } catch {
    // A history that cannot be kept is no reason to fail at the end.
  }
}
