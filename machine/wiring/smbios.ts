/**
 * What `-smbios` says: fields by type of structure, or whole structures from files.
 *
 * Where a type comes again, texts that it does not name stay, and numbers and switches go back to their defaults.
 *
 * Source: QEMU 7.2's manual page, "-smbios"; its texts of refusal.
 *
 * @module
 */
import { isHelpOption, OptionError, parseUnsigned, QemuOpts, type QemuOptTable } from "../../base/keyval.ts";
import { hostReason } from "../../base/errno.ts";
import { FileTooLargeError, readFileStartSync, readFileSync } from "../../base/read_file.ts";
import { MiB } from "../../base/units.ts";
import { parseUuid } from "../../base/uuid.ts";
import { SMBIOS_CPU_MHZ, type SmbiosWishes } from "../../devices/chipset/mod.ts";

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

const MAX_TYPE = 127;
const HEADER_BYTES = 4;
const MAX_SPEED_MHZ = 0xffff;
/** Sixteen times what all structures together have room for in most tables. */
const MAX_FILE_BYTES = MiB;

const FILE_OPTIONS = { file: "string" } as const satisfies QemuOptTable;

/** What each type of structure takes, beside `type=`. */
export const SMBIOS_OPTIONS = {
  0: { vendor: "string", version: "string", date: "string", release: "string", uefi: "bool" },
  1: {
    manufacturer: "string",
    product: "string",
    version: "string",
    serial: "string",
    uuid: "string",
    sku: "string",
    family: "string",
  },
  2: {
    manufacturer: "string",
    product: "string",
    version: "string",
    serial: "string",
    asset: "string",
    location: "string",
  },
  3: { manufacturer: "string", version: "string", serial: "string", asset: "string", sku: "string" },
  4: {
    "sock_pfx": "string",
    "manufacturer": "string",
    "version": "string",
    "serial": "string",
    "asset": "string",
    "part": "string",
    "max-speed": "number",
    "current-speed": "number",
    "processor-id": "number",
  },
  8: { internal_reference: "string", external_reference: "string", connector_type: "number", port_type: "number" },
  11: { value: "string", path: "string" },
  17: {
    loc_pfx: "string",
    bank: "string",
    manufacturer: "string",
    serial: "string",
    asset: "string",
    part: "string",
    speed: "number",
  },
  41: { designation: "string", kind: "string", instance: "number", pcidev: "string" },
} as const satisfies Readonly<Record<number, QemuOptTable>>;

type FieldType = keyof typeof SMBIOS_OPTIONS;

/** [DSP0134] 7.42.2 "Onboard Device Types": the first is 1. */
const KINDS = ["other", "unknown", "video", "scsi", "ethernet", "tokenring", "sound", "pata", "sata", "sas"];

/** All that was said, one option after the other. */
export class SmbiosOptions {
  readonly #wishes: Writable<SmbiosWishes> = {};
  readonly #fieldTypes = new Set<number>();
  readonly #fileTypes = new Set<number>();

  /** What it comes to. */
  get wishes(): SmbiosWishes {
    return this.#wishes;
  }

  /**
   * Reads the text behind one `-smbios`, and the files that it names; `warn` gets what is old about it.
   *
   * @returns the `uuid=` in it, which is the machine's from then on
   * @throws {OptionError} in QEMU's words
   */
  add(text: string, warn: (text: string) => void): Uint8Array | undefined {
    if (text.includes("\0")) throw new OptionError("NUL cannot stand in a structure's text");
    const options = QemuOpts.parse(text);
    for (const warning of options.warnings) warn(`warning: ${warning}`);
    const file = options.get("file");
    if (file !== undefined) {
      QemuOpts.parse(text, { table: FILE_OPTIONS });
      this.#addFile(file);
      return undefined;
    }
    if (!options.has("type")) throw new OptionError("Must specify type= or file=");
    const type = options.getNumber("type")!;
    if (type > MAX_TYPE) throw new OptionError("out of range!");
    if (this.#fileTypes.has(type)) throw new OptionError("can't add fields, binary file already loaded!");
    if (!isFieldType(type)) throw new OptionError(`Don't know how to build fields for SMBIOS type ${type}`);
    this.#fieldTypes.add(type);
    const help = options.remaining.find(({ name }) => isHelpOption(name));
    if (help !== undefined) throw new OptionError(`Invalid parameter '${help.name}'`);
    this.#addFields(type, QemuOpts.parse(text, { table: { type: "number", ...SMBIOS_OPTIONS[type] } }));
    const uuid = options.get("uuid");
    if (uuid === undefined) return undefined;
    const bytes = parseUuid(uuid);
    if (bytes === undefined) throw new OptionError("Invalid UUID");
    return bytes;
  }

  #addFile(filename: string): void {
    let content: Uint8Array;
    try {
      content = readFileSync(filename, MAX_FILE_BYTES);
    } catch (error) {
      if (error instanceof FileTooLargeError) {
        throw new OptionError(`Cannot read SMBIOS file ${filename}: ${error.message}`);
      }
      content = new Uint8Array(0);
    }
    if (content.length < HEADER_BYTES) throw new OptionError(`Cannot read SMBIOS file ${filename}`);
    const type = content[0]!;
    if (this.#fieldTypes.has(type)) {
      throw new OptionError(`can't load type ${type} struct, fields already specified!`);
    }
    this.#fileTypes.add(type);
    this.#wishes.structures = [...this.#wishes.structures ?? [], content];
  }

  #addFields(type: FieldType, options: QemuOpts): void {
    const wishes = this.#wishes;
    switch (type) {
      case 0:
        wishes.bios = { ...wishes.bios, ...biosFields(options) };
        return;
      case 1:
        wishes.system = {
          ...wishes.system,
          ...texts(options, "manufacturer", "product", "version", "serial", "sku", "family"),
        };
        return;
      case 2:
        wishes.baseboard = {
          ...wishes.baseboard,
          ...texts(options, "manufacturer", "product", "version", "serial", "asset", "location"),
        };
        return;
      case 3:
        wishes.chassis = { ...wishes.chassis, ...texts(options, "manufacturer", "version", "serial", "asset", "sku") };
        return;
      case 4:
        wishes.processor = { ...wishes.processor, ...processorFields(options) };
        return;
      case 8:
        wishes.ports = [...wishes.ports ?? [], {
          ...texts(options, "internal_reference", "external_reference"),
          connectorType: (options.getNumber("connector_type") ?? 0) & 0xff,
          portType: (options.getNumber("port_type") ?? 0) & 0xff,
        }];
        return;
      case 11: {
        const strings = oemStrings(options);
        if (strings.length > 0) wishes.strings = [...wishes.strings ?? [], ...strings];
        return;
      }
      case 17: {
        wishes.memory = {
          ...wishes.memory,
          ...texts(options, "loc_pfx", "bank", "manufacturer", "serial", "asset", "part"),
          speed: (options.getNumber("speed") ?? 0) & 0xffff,
        };
        return;
      }
      case 41:
        wishes.onboardDevices = [...wishes.onboardDevices ?? [], {
          ...texts(options, "designation", "pcidev"),
          kind: kindNamed(options.get("kind")),
          instance: (options.getNumber("instance") ?? 1) & 0xff,
        }];
    }
  }
}

function isFieldType(type: number): type is FieldType {
  return Object.hasOwn(SMBIOS_OPTIONS, type);
}

/** Those of the texts `names` that are there. */
function texts<Name extends string>(
  options: QemuOpts,
  ...names: readonly Name[]
): { readonly [name in Name]?: string } {
  const found: { [name in Name]?: string } = {};
  for (const name of names) {
    const value = options.get(name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

function biosFields(options: QemuOpts): SmbiosWishes["bios"] {
  const release = options.get("release");
  return {
    ...texts(options, "vendor", "version", "date"),
    ...(release === undefined ? {} : { release: releaseOf(release) }),
    uefi: options.getBool("uefi") ?? false,
  };
}

/** Two numbers of 8 bits; what follows them does not matter. */
function releaseOf(text: string): { major: number; minor: number } {
  const match = /^\s*([+-]?\d+)\.\s*([+-]?\d+)/.exec(text);
  if (match === null) throw new OptionError("Invalid release");
  return { major: Number(match[1]) & 0xff, minor: Number(match[2]) & 0xff };
}

function processorFields(options: QemuOpts): SmbiosWishes["processor"] {
  const maxSpeedMhz = options.getNumber("max-speed") ?? SMBIOS_CPU_MHZ;
  const currentSpeedMhz = options.getNumber("current-speed") ?? SMBIOS_CPU_MHZ;
  if (Math.max(maxSpeedMhz, currentSpeedMhz) > MAX_SPEED_MHZ) {
    throw new OptionError(`SMBIOS CPU speed is too large (> ${MAX_SPEED_MHZ})`);
  }
  return {
    ...texts(options, "sock_pfx", "manufacturer", "version", "serial", "asset", "part"),
    maxSpeedMhz,
    currentSpeedMhz,
    id: parseUnsigned(options.get("processor-id") ?? "0", "processor-id"),
  };
}

/** Texts and contents of files, in their order. */
function oemStrings(options: QemuOpts): string[] {
  return options.remaining.flatMap(({ name, value }) => {
    if (name === "value") return [value];
    return name === "path" ? [oemFile(value)] : [];
  });
}

function oemFile(filename: string): string {
  let content: Uint8Array;
  try {
    content = readFileStartSync(filename, MAX_FILE_BYTES + 1);
  } catch (error) {
    const attempted = error instanceof Deno.errors.IsADirectory
      ? `Unable to read from ${filename}`
      : `Could not open '${filename}'`;
    throw new OptionError(`${attempted}: ${hostReason(error)}`);
  }
  if (content.includes(0)) throw new OptionError(`NUL in OEM strings value in ${filename}`);
  if (content.length > MAX_FILE_BYTES) {
    throw new OptionError(`Unable to read from ${filename}: ${new FileTooLargeError(MAX_FILE_BYTES).message}`);
  }
  return new TextDecoder().decode(content);
}

function kindNamed(name: string | undefined): number {
  const index = name === undefined ? 0 : KINDS.indexOf(name);
  if (index < 0) throw new OptionError(`invalid parameter value: ${name}`);
  return index + 1;
}
