// a library that a test opens first would count as its leak
import "../../base/host/preload.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { CommandLineError, readArguments } from "./arguments.ts";
import { hasBoardPart } from "./machine_values.ts";
import { loadOptionRoms } from "./read_firmware.ts";
import { readSettings } from "./read_settings.ts";
import { defaultSettings, type Settings } from "./settings.ts";

function settingsOf(...args: string[]): Settings {
  const settings = defaultSettings();
  readSettings(readArguments(args), settings);
  return settings;
}

function refusal(...args: string[]): string {
  return assertThrows(() => settingsOf(...args), CommandLineError).message;
}

Deno.test("-acpitable makes the table that QEMU 7.2 makes of the same words", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "hello");
    const { acpiTables: [table] } = settingsOf("-acpitable", `data=${file},sig=ABCD,oem_id=xy,rev=3`);
    const header = "ABCD)\0\0\0\x03\x1bxy\0\0\0\0QEMUQEMU\x01\0\0\0QEMU\x01\0\0\0";
    assertEquals(new TextDecoder().decode(table), `${header}hello`);
    const { notes } = settingsOf("-acpitable", `data=${file}`);
    assertEquals(notes.map(({ text }) => text), ["warning: ACPI table: no headers are specified"]);
    const short = "ACPI table claiming to have header is too short, available: 5, expected: 36";
    assertEquals(refusal("-acpitable", file), short);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("-acpitable and -fw_cfg are refused in QEMU's words", () => {
  assertEquals(refusal("-acpitable", "sig=ABCD"), "'-acpitable' requires one of 'data' or 'file'");
  assertEquals(refusal("-acpitable", "/nonexist"), "can't open file /nonexist: No such file or directory");
  assertEquals(refusal("-acpitable", "foo=bar"), "Invalid parameter 'foo'");
  const incomplete = "name, plus exactly one of file, string and gen_id, are needed";
  for (const text of ["foo", "name=opt/a", "string=x", "name=opt/a,string=x,file=y"]) {
    assertEquals(refusal("-fw_cfg", text), incomplete);
  }
  assertEquals(refusal("-fw_cfg", `opt/${"a".repeat(52)},string=x`), "name too long (max. 55 char)");
  assertEquals(
    refusal("-fw_cfg", "opt/a,file=/nonexist"),
    "can't load /nonexist: Failed to open file “/nonexist”: No such file or directory",
  );
  assertEquals(
    refusal("-fw_cfg", "opt/a,string=x", "-fw_cfg", "opt/a,string=y"),
    "duplicate fw_cfg file name: opt/a",
  );
  const { firmwareFiles, notes } = settingsOf("-fw_cfg", "name=etc/a,string=x");
  assertEquals(firmwareFiles, [{ name: "etc/a", content: Uint8Array.of(0x78) }]);
  assertEquals(notes[0]?.text, 'warning: externally provided fw_cfg item names should be prefixed with "opt/"');
});

Deno.test("what has no end is refused where a file is read", () => {
  const large = (most: string) => `File too large (more than ${most})`;
  for (
    const [option, text, message] of [
      ["-acpitable", "file=/dev/zero", `can't read file /dev/zero: ${large("16 MiB")}`],
      ["-fw_cfg", "opt/a,file=/dev/zero", `can't load /dev/zero: Error reading file “/dev/zero”: ${large("256 MiB")}`],
      ["-smbios", "file=/dev/zero", `Cannot read SMBIOS file /dev/zero: ${large("1 MiB")}`],
      ["-smbios", "type=11,path=/dev/zero", "NUL in OEM strings value in /dev/zero"],
      ["-readconfig", "/dev/zero", `Cannot read config file: ${large("16 MiB")}`],
      ["-trace", "events=/dev/zero", `Could not open '/dev/zero': ${large("4 MiB")}`],
      ["-acpitable", "file=/usr", "can't read file /usr: Is a directory"],
      ["-fw_cfg", "opt/a,file=/usr", "can't load /usr: Error reading file “/usr”: Is a directory"],
      ["-smbios", "type=11,path=/usr", "Unable to read from /usr: Is a directory"],
      ["-readconfig", "/usr", "Cannot read config file: Is a directory"],
    ] as const
  ) assertEquals(refusal(option, text), message);
});

Deno.test("ACPI and HPET go by a property of the machine or by an option", () => {
  assertEquals(hasBoardPart(settingsOf(), "acpi"), true);
  assertEquals(hasBoardPart(settingsOf("-no-acpi"), "acpi"), false);
  assertEquals(hasBoardPart(settingsOf("-machine", "hpet=no"), "hpet"), false);
});

Deno.test("-option-rom names files, of which those that are not there are told and left out", async () => {
  assertEquals(refusal("-option-rom", "bootindex=1"), "Option ROM file is not specified");
  assertEquals(refusal("-option-rom", "a,foo=1"), "Invalid parameter 'foo'");
  assertEquals(refusal("-option-rom", "a,bootindex=x"), "Parameter 'bootindex' expects a number");
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/my.rom`, Uint8Array.of(1, 2));
    const { optionRoms } = settingsOf(
      ...["-option-rom", `${folder}/my.rom,bootindex=2`, "-option-rom", "romfile=my.rom", "-option-rom", "/nonexist"],
    );
    const told: string[] = [];
    assertEquals(loadOptionRoms(optionRoms, [folder], (text) => told.push(text)), [
      { name: "my.rom", content: Uint8Array.of(1, 2), bootIndex: 2 },
      { name: "my.rom", content: Uint8Array.of(1, 2) },
    ]);
    assertEquals(told, ["Could not open option rom '/nonexist': No such file or directory"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
