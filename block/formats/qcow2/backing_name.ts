/**
 * How the name of a backing file is to be read: relative names count from the overlay's folder.
 *
 * @module
 */

/** Whether `name` says itself where it is: an absolute path, `json:...`, or `protocol:...`. */
function standsAlone(name: string): boolean {
  if (name.startsWith("/")) return true;
  const colon = name.indexOf(":");
  const slash = name.indexOf("/");
  return colon >= 0 && (slash < 0 || colon < slash);
}

/** The backing file's name as seen from where the program runs; `overlay` is the name of the image's own file. */
export function resolveBackingName(overlay: string, name: string): string {
  if (standsAlone(name)) return name;
  const slash = overlay.lastIndexOf("/");
  return slash < 0 ? name : overlay.slice(0, slash + 1) + name;
}
