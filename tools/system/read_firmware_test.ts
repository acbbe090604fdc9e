// a library that a test opens first would count as its leak
import "../../base/host/preload.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { CommandLineError, readArguments } from "./arguments.ts";
import { hasBoardPart } from "./machine_values.ts";
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

Deno.test("ACPI and HPET go by a property of the machine or by an option", () => {
  assertEquals(hasBoardPart(settingsOf(), "acpi"), true);
  assertEquals(hasBoardPart(settingsOf("-no-acpi"), "acpi"), false);
  assertEquals(hasBoardPart(settingsOf("-machine", "hpet=no"), "hpet"), false);
});
