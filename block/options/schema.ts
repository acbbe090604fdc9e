/**
 * Which options each driver has at run time, with their types: what `-blockdev` allows, what `-drive` converts, and
 * which of them change what an image contains.
 *
 * Source: qapi/block-core.json, BlockdevOptions. Drivers that are not here are refused by name before their options
 * are looked at.
 *
 * @module
 */

/** The type of one option; enumerations list their values. */
export type OptionType =
  | { readonly type: "str" | "bool" | "size" | "int" | "tree" | "list" }
  /** A description or a node's name; with `nullable`, also null. */
  | { readonly type: "node"; readonly optional?: boolean; readonly nullable?: boolean }
  /** A list of such. */
  | { readonly type: "nodes" }
  | {
    readonly type: "enum";
    readonly values: readonly string[];
    /** QEMU's message for `-drive`, where it has one of its own. */
    readonly refusal?: (value: string) => string;
    /** The option may be an object as well. */
    readonly orTree?: boolean;
  };

/** One option. */
export type OptionRow = OptionType & {
  readonly required?: boolean;
  /** Opened with another value, the same file is another disk: it belongs into a `json:` name. */
  readonly strong?: boolean;
};

const str = { type: "str" } as const;
const bool = { type: "bool" } as const;
const size = { type: "size" } as const;
const int = { type: "int" } as const;
const file = { type: "node", required: true } as const;

function oneOf(...values: string[]): OptionRow {
  return { type: "enum", values };
}

/** What every node has. `cache` is an object of its own. */
export const COMMON_OPTIONS: Readonly<Record<string, OptionRow>> = {
  driver: str,
  "node-name": str,
  discard: { type: "enum", values: ["ignore", "unmap"], refusal: () => "Invalid discard option" },
  cache: { type: "tree" },
  "read-only": bool,
  "auto-read-only": bool,
  "force-share": bool,
  active: bool,
  "detect-zeroes": oneOf("off", "on", "unmap"),
};

/** What `cache` holds. */
export const CACHE_OPTIONS: Readonly<Record<string, OptionRow>> = { direct: bool, "no-flush": bool };

const FILE: Readonly<Record<string, OptionRow>> = {
  filename: { ...str, required: true, strong: true },
  aio: { type: "enum", values: ["threads", "native", "io_uring"], refusal: () => "invalid aio option" },
  "aio-max-batch": int,
  locking: oneOf("auto", "on", "off"),
  "drop-cache": bool,
  "x-check-cache-dropped": bool,
  "pr-manager": str,
};

const NULL: Readonly<Record<string, OptionRow>> = {
  size: { ...size, strong: true },
  "latency-ns": { ...int, strong: true },
  "read-zeroes": { ...bool, strong: true },
};

const OVERLAP_MODES = ["none", "constant", "cached", "all"];

const QCOW2: Readonly<Record<string, OptionRow>> = {
  file,
  backing: { type: "node", nullable: true },
  "lazy-refcounts": bool,
  "pass-discard-request": bool,
  "pass-discard-snapshot": bool,
  "pass-discard-other": bool,
  "overlap-check": {
    type: "enum",
    values: OVERLAP_MODES,
    orTree: true,
    refusal: (value) =>
      `Unsupported value '${value}' for qcow2 option 'overlap-check'. Allowed are any of the following: ` +
      OVERLAP_MODES.join(", "),
  },
  "cache-size": size,
  "l2-cache-size": size,
  "l2-cache-entry-size": size,
  "refcount-cache-size": size,
  "cache-clean-interval": int,
  encrypt: { type: "tree", strong: true },
  "data-file": { type: "node", strong: true },
};

const BLKDEBUG: Readonly<Record<string, OptionRow>> = {
  image: file,
  config: { ...str, strong: true },
  align: size,
  "max-transfer": size,
  "opt-write-zero": size,
  "max-write-zero": size,
  "opt-discard": size,
  "max-discard": size,
  "inject-error": { type: "list", strong: true },
  "set-state": { type: "list", strong: true },
  "take-child-perms": { type: "list" },
  "unshare-child-perms": { type: "list" },
};

const BLKLOGWRITES: Readonly<Record<string, OptionRow>> = {
  file,
  log: file,
  "log-sector-size": { ...size, strong: true },
  "log-append": { ...bool, strong: true },
  "log-super-update-interval": int,
};

const QUORUM: Readonly<Record<string, OptionRow>> = {
  blkverify: { ...bool, strong: true },
  children: { type: "nodes", required: true },
  "vote-threshold": { ...int, required: true, strong: true },
  "rewrite-corrupted": { ...bool, strong: true },
  "read-pattern": {
    type: "enum",
    values: ["quorum", "fifo"],
    strong: true,
    refusal: () => "Please set read-pattern as fifo or quorum",
  },
};

const COPY_BEFORE_WRITE: Readonly<Record<string, OptionRow>> = {
  file,
  target: file,
  bitmap: { type: "tree" },
  "on-cbw-error": oneOf("break-guest-write", "break-snapshot"),
  "cbw-timeout": int,
};

/** Rows by driver. */
export const DRIVER_OPTIONS: Readonly<Record<string, Readonly<Record<string, OptionRow>>>> = {
  file: FILE,
  host_device: FILE,
  host_cdrom: FILE,
  "null-co": NULL,
  "null-aio": NULL,
  memory: { size },
  raw: { file, offset: { ...size, strong: true }, size: { ...size, strong: true } },
  luks: { file, "key-secret": { ...str, strong: true } },
  qcow2: QCOW2,
  blkdebug: BLKDEBUG,
  blkverify: { raw: file, test: file },
  blklogwrites: BLKLOGWRITES,
  throttle: { "throttle-group": { ...str, required: true, strong: true }, file },
  "copy-on-read": { file, bottom: str },
  compress: { file },
  preallocate: { file, "prealloc-align": size, "prealloc-size": size },
  quorum: QUORUM,
  "copy-before-write": COPY_BEFORE_WRITE,
  "snapshot-access": { file },
};

/** Options that `-drive` knows and `-blockdev` does not: what names with a prefix are read into. */
export const NAME_OPTIONS: Readonly<Record<string, readonly string[]>> = { blkverify: ["x-raw", "x-image"] };

/** Names of QEMU 7.2's drivers, for which a request is refused as "known, not here" rather than "unknown". */
export const QEMU_DRIVERS: readonly string[] =
  ("blkdebug blklogwrites blkreplay blkverify bochs cloop compress copy-before-write copy-on-read dmg file ftp ftps " +
    "gluster host_cdrom host_device http https iscsi iser luks nbd nfs null-aio null-co nvme parallels preallocate " +
    "qcow qcow2 qed quorum raw rbd replication snapshot-access ssh throttle vdi vhdx vmdk vpc vvfat").split(" ");

/** The row of an option of a driver, its common ones included. */
export function optionRow(driver: string, name: string): OptionRow | undefined {
  const own = DRIVER_OPTIONS[driver];
  if (own !== undefined && Object.hasOwn(own, name)) return own[name];
  return Object.hasOwn(COMMON_OPTIONS, name) ? COMMON_OPTIONS[name] : undefined;
}
