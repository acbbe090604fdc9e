/**
 * File names that begin as typed, for Tab.
 *
 * @module
 */

const MAX_NAMES = 500;

/** Names of files and, with a slash, of folders; none where the folder cannot be read. */
export async function completeFile(typed: string): Promise<string[]> {
  const slash = typed.lastIndexOf("/") + 1;
  const folder = typed.slice(0, slash);
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder === "" ? "." : folder)) {
      if (!entry.name.startsWith(typed.slice(slash))) continue;
      const isFolder = entry.isDirectory ||
        (entry.isSymlink && (await Deno.stat(folder + entry.name).catch(() => undefined))?.isDirectory === true);
      names.push(`${folder}${entry.name}${isFolder ? "/" : ""}`);
      if (names.length >= MAX_NAMES) break;
    }
  } catch (error) {
    if (!isOfTheHost(error)) throw error;
  }
  return names;
}

/** Missing folders and permissions are no reason to stop somebody who types. */
function isOfTheHost(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable ||
    error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotADirectory ||
    (error instanceof Error && "code" in error);
}
