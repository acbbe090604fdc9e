/**
 * What the user gives the firmware: `-acpitable`, `-fw_cfg` and `-option-rom`.
 *
 * Source: behaviour of QEMU 7.2; [ACPI 6.5] 5.2.6 "System Description Table Header".
 *
 * @module
 */
import { concatBytes } from "../../base/bytes.ts";
import { QemuOpts } from "../../base/keyval.ts";
import { hostReason } from "../../base/errno.ts";
import { FileTooLargeError, readFileSync } from "../../base/read_file.ts";
import { MiB } from "../../base/units.ts";
import { ACPI_HEADER_BYTES, AcpiHeader } from "../../devices/chipset/mod.ts";
import { type FirmwareItems, OPTION_GROUPS } from "../../machine/mod.ts";
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

/** A table's length is a number of 16 bits where it comes from here. */
const MAX_TABLE_BYTES = 0xffff;
/** Of a file with a table, so that one that is too long is still told how long it is. */
const MAX_TABLE_FILE_BYTES = 16 * MiB;
const MAX_FIRMWARE_FILE_BYTES = 256 * MiB;
const MAX_NAME_CHARACTERS = 55;
/** More than the room for them below 1 MiB. */
const MAX_ROM_BYTES = MiB;

const TABLE_OPTIONS = {
  sig: "string",
  rev: "number",
  oem_id: "string",
  oem_table_id: "string",
  oem_rev: "number",
  asl_compiler_id: "string",
  asl_compiler_rev: "number",
  data: "string",
  file: "string",
} as const;

/** `-acpitable`: a table from files, with the header that they have (`file=`) or a new one (`data=`). */
export function readAcpiTable(text: string, origin: string, settings: Settings): void {
  const options = QemuOpts.parse(text, { impliedKey: "file", table: TABLE_OPTIONS });
  const [data, file] = [options.get("data"), options.get("file")];
  if ((data === undefined) === (file === undefined)) {
    throw new CommandLineError("'-acpitable' requires one of 'data' or 'file'");
  }
  const content = readFiles((data ?? file)!.split(":"));
  if (file !== undefined && content.length < ACPI_HEADER_BYTES) {
    throw new CommandLineError(
      `ACPI table claiming to have header is too short, available: ${content.length}, expected: ${ACPI_HEADER_BYTES}`,
    );
  }
  const body = file === undefined ? content : content.subarray(ACPI_HEADER_BYTES);
  const lengthBytes = ACPI_HEADER_BYTES + body.length;
  if (lengthBytes > MAX_TABLE_BYTES) {
    throw new CommandLineError(
      `ACPI table with header too large, requested: ${lengthBytes}, max: ${MAX_TABLE_BYTES}`,
    );
  }
  const header = file === undefined ? NEW_HEADER : AcpiHeader.decode(content);
  const changed = Object.keys(TABLE_OPTIONS).some((name) => name !== "data" && name !== "file" && options.has(name));
  if (file === undefined && !changed) {
    settings.notes.push({ text: "warning: ACPI table: no headers are specified", origin });
  }
  const table = new Uint8Array(lengthBytes);
  AcpiHeader.encode({
    signature: characters(options.get("sig"), header.signature),
    length: lengthBytes,
    revision: (options.getNumber("rev") ?? header.revision) & 0xff,
    checksum: 0,
    oemId: characters(options.get("oem_id"), header.oemId),
    oemTableId: characters(options.get("oem_table_id"), header.oemTableId),
    oemRevision: (options.getNumber("oem_rev") ?? header.oemRevision) >>> 0,
    creatorId: characters(options.get("asl_compiler_id"), header.creatorId),
    creatorRevision: (options.getNumber("asl_compiler_rev") ?? header.creatorRevision) >>> 0,
  }, table);
  table.set(body, ACPI_HEADER_BYTES);
  table[AcpiHeader.offsetOf.checksum] = -table.reduce((sum, byte) => sum + byte, 0) & 0xff;
  settings.acpiTables.push(table);
}

const NEW_HEADER: ReturnType<typeof AcpiHeader.decode> = {
  signature: new TextEncoder().encode("QEMU"),
  length: 0,
  revision: 1,
  checksum: 0,
  oemId: new TextEncoder().encode("QEMUQE"),
  oemTableId: new TextEncoder().encode("QEMUQEMU"),
  oemRevision: 1,
  creatorId: new TextEncoder().encode("QEMU"),
  creatorRevision: 1,
};

/** `text` cut or filled up with zeroes to as many bytes as `otherwise` has. */
function characters(text: string | undefined, otherwise: Uint8Array): Uint8Array {
  if (text === undefined) return otherwise;
  const wanted = new Uint8Array(otherwise.length);
  wanted.set(new TextEncoder().encode(text).subarray(0, wanted.length));
  return wanted;
}

function readFiles(names: readonly string[]): Uint8Array {
  return concatBytes(names.map((name) => {
    try {
      return readFileSync(name, MAX_TABLE_FILE_BYTES);
    } catch (error) {
      const attempted = error instanceof FileTooLargeError || error instanceof Deno.errors.IsADirectory
        ? "read"
        : "open";
      throw new CommandLineError(`can't ${attempted} file ${name}: ${hostReason(error)}`);
    }
  }));
}

/** `-fw_cfg`: a file of the user's for the guest. */
export function readFirmwareFile(text: string, origin: string, settings: Settings): void {
  const options = QemuOpts.parse(text, { impliedKey: "name", table: OPTION_GROUPS.fw_cfg });
  const name = options.get("name") ?? "";
  const sources = (["file", "string", "gen_id"] as const).filter((source) => options.has(source));
  if (name === "" || sources.length !== 1) {
    throw new CommandLineError("name, plus exactly one of file, string and gen_id, are needed");
  }
  if (name.length > MAX_NAME_CHARACTERS) {
    throw new CommandLineError(`name too long (max. ${MAX_NAME_CHARACTERS} char)`);
  }
  const generator = options.get("gen_id");
  if (generator !== undefined) throw new CommandLineError(`Cannot find object ID '${generator}'`);
  if (settings.firmwareFiles.some((other) => other.name === name)) {
    throw new CommandLineError(`duplicate fw_cfg file name: ${name}`);
  }
  if (!name.startsWith("opt/")) {
    const text = 'warning: externally provided fw_cfg item names should be prefixed with "opt/"';
    settings.notes.push({ text, origin });
  }
  const filename = options.get("file");
  const content = filename === undefined ? new TextEncoder().encode(options.get("string")) : readWhole(filename);
  settings.firmwareFiles.push({ name, content });
}

function readWhole(filename: string): Uint8Array {
  try {
    return readFileSync(filename, MAX_FIRMWARE_FILE_BYTES);
  } catch (error) {
    const isOpen = error instanceof FileTooLargeError || error instanceof Deno.errors.IsADirectory;
    const what = isOpen ? "Error reading file" : "Failed to open file";
    throw new CommandLineError(`can't load ${filename}: ${what} \u201c${filename}\u201d: ${hostReason(error)}`);
  }
}

/** `-option-rom`: code that the firmware starts before it boots. */
export function readOptionRom(text: string, settings: Settings): void {
  const options = QemuOpts.parse(text, { impliedKey: "romfile", table: OPTION_GROUPS["option-rom"] });
  const filename = options.get("romfile");
  if (filename === undefined) throw new CommandLineError("Option ROM file is not specified");
  const bootIndex = options.get("bootindex");
  settings.optionRoms.push({ filename, ...bootIndex === undefined ? {} : { bootIndex: Number(bootIndex) } });
}

/** Their contents, from the files themselves or from one of `folders`; one that is not there is told and left out. */
export function loadOptionRoms(
  wanted: Settings["optionRoms"],
  folders: readonly string[],
  warn: (text: string) => void,
): NonNullable<FirmwareItems["optionRoms"]> {
  return wanted.flatMap(({ filename, ...rest }) => {
    let problem: unknown;
    for (const place of [filename, ...folders.map((folder) => `${folder}/${filename}`)]) {
      try {
        return [{
          name: filename.slice(filename.lastIndexOf("/") + 1),
          content: readFileSync(place, MAX_ROM_BYTES),
          ...rest,
        }];
      } catch (error) {
        problem ??= error;
      }
    }
    warn(`Could not open option rom '${filename}': ${hostReason(problem)}`);
    return [];
  });
}
