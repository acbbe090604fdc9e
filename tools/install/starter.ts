/**
 * The text of a starter: a few lines for `sh` that turn into moa under one name.
 *
 * It `exec`s, so that the process that was started is the one that works (signals, pid files, exit status). SIGUSR1, which
 * would end a process that does not listen to it yet, is ignored until moa listens. What `deno task` leaves in the
 * environment is taken out: file names count from where the user stands.
 *
 * @module
 */

/** Names that a starter may have: moa's own, and those of QEMU's programs. */
export const QEMU_NAMES = ["qemu-img", "qemu-io", "qemu-nbd", "qemu-system-x86_64", "qemu-storage-daemon"] as const;

/** The line by which a starter is known as one. */
const MARK = "# A starter of moa, made by its 'install' task, which may replace it.";

/** Permissions as `deno.json` names them. */
export type PermissionSet = Readonly<Record<string, true | readonly string[]>>;

/** What a starter needs to know. */
export interface Starter {
  /** The name it answers to. */
  readonly name: string;
  /** The Deno that made the bundle; where it has gone, the one on PATH is taken. */
  readonly deno: string;
  /** What Deno runs. */
  readonly program: string;
  /** The same from the starter's own folder, in case that was moved. */
  readonly besideStarter?: string | undefined;
  /** Further words for Deno, such as where its configuration is. */
  readonly words: readonly string[];
  /** What a machine may do, and what a tool for images may. */
  readonly permissions: { readonly machine: PermissionSet; readonly images: PermissionSet };
}

/** The starter's text. */
export function starterText(starter: Starter): string {
  const { name, besideStarter } = starter;
  const machine = flags(starter.permissions.machine);
  const images = flags(starter.permissions.images);
  const run = (permissions: string) =>
    `exec "$deno" run -q --no-prompt ${[...starter.words.map(quote), permissions].join(" ")} "$program" "$@"`;
  return [
    "#!/bin/sh",
    MARK,
    "trap '' USR1",
    "unset INIT_CWD",
    `export MOA_ARGV0=${quote(name)}`,
    `deno=${quote(starter.deno)}`,
    '[ -x "$deno" ] || deno=deno',
    `program=${quote(starter.program)}`,
    ...(besideStarter === undefined ? [] : [`[ -f "$program" ] || program="\${0%/*}"/${quote(besideStarter)}`]),
    'if [ ! -f "$program" ]; then',
    `  echo ${quote(`${name}: the program that this starts is gone; install moa again`)} >&2`,
    "  exit 1",
    "fi",
    ...(name === "moa"
      ? ['case "${1-}" in', `img | io) ${run(images)} ;;`, `*) ${run(machine)} ;;`, "esac"]
      : [run(name.startsWith("qemu-system") ? machine : images)]),
    "",
  ].join("\n");
}

/** Whether a file's text is that of a starter. */
export function isStarter(text: string): boolean {
  return text.startsWith("#!/bin/sh\n") && text.includes(`\n${MARK}\n`);
}

/** A word for `sh`. */
export function quote(word: string): string {
  return /^[\w./=:,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function flags(permissions: PermissionSet): string {
  return Object.entries(permissions).map(([kind, value]) =>
    value === true ? `--allow-${kind}` : quote(`--allow-${kind}=${value.join(",")}`)
  ).join(" ");
}
