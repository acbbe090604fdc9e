import { assert, assertEquals, assertMatch } from "@std/assert";
import { haveProgram } from "../../../tests/support/programs.ts";
import { acpiFiles, type AcpiMachine } from "./acpi_files.ts";
import { eisaIdNumber, integerBytes, nameBytes, packaged } from "./aml_encoding.ts";

const MACHINE: AcpiMachine = {
  hardware: {
    pmBase: 0x600,
    gpe0Port: 0xafe0,
    sci: 9,
    smiPort: 0xb2,
    acpiEnable: 0xf1,
    acpiDisable: 0xf0,
    centuryIndex: 0x32,
  },
  slots: { lowRamBytes: 0x800_0000, removable: 0xffff_fffc },
  isa: {
    keyboard: true,
    clock: true,
    floppies: [{ unit: 0, kind: "144" }, { unit: 1, kind: "288" }],
    ports: [
      { kind: "serial", number: 1, port: 0x3f8, irq: 4 },
      { kind: "parallel", number: 1, port: 0x378, irq: 7 },
    ],
  },
  cpus: 1,
  hpet: true,
  extra: [],
};

const TABLES_AT = 0x7fe_0000;
const RSDP_AT = 0xf_5000;

/** Does what firmware does with the loader's script: written from its description, by nobody who wrote the script. */
function installed(machine: AcpiMachine): { rsdp: Uint8Array; tables: Map<string, Uint8Array> } {
  const files: Record<string, Uint8Array> = acpiFiles(machine);
  const places: Record<string, number> = { "etc/acpi/rsdp": RSDP_AT, "etc/acpi/tables": TABLES_AT };
  const script = files["etc/table-loader"]!;
  const view = new DataView(script.buffer);
  const name = (at: number) => new TextDecoder().decode(script.subarray(at, at + 56)).replace(/\0.*$/s, "");
  for (let at = 0; view.getUint32(at, true) !== 0; at += 128) {
    const file = files[name(at + 4)]!;
    const target = new DataView(file.buffer, file.byteOffset);
    switch (view.getUint32(at, true)) {
      case 1:
        assertEquals(places[name(at + 4)]! % view.getUint32(at + 60, true), 0);
        break;
      case 2: {
        assertEquals(view.getUint8(at + 120), 4);
        const offset = view.getUint32(at + 116, true);
        target.setUint32(offset, target.getUint32(offset, true) + places[name(at + 60)]!, true);
        break;
      }
      case 3: {
        const [sumAt, start, length] = [60, 64, 68].map((offset) => view.getUint32(at + offset, true));
        file[sumAt!] = file[sumAt!]! - sum(file.subarray(start!, start! + length!));
        break;
      }
      default:
        throw new Error(`no loader command ${view.getUint32(at, true)}`);
    }
  }
  const rsdp = files["etc/acpi/rsdp"]!;
  return { rsdp, tables: tablesBelow(rsdp, files["etc/acpi/tables"]!) };
}

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
}

/** Every table that an operating system finds from the pointer on. */
function tablesBelow(rsdp: Uint8Array, memory: Uint8Array): Map<string, Uint8Array> {
  const tables = new Map<string, Uint8Array>();
  const view = new DataView(memory.buffer);
  const visit = (address: number): Uint8Array => {
    const at = address - TABLES_AT;
    const table = memory.slice(at, at + view.getUint32(at + 4, true));
    tables.set(new TextDecoder().decode(table.subarray(0, 4)), table);
    return table;
  };
  const numberAt = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer).getUint32(at, true);
  const root = visit(numberAt(rsdp, 16));
  for (let at = 36; at < root.length; at += 4) {
    const table = visit(numberAt(root, at));
    if (new TextDecoder().decode(table.subarray(0, 4)) !== "FACP") continue;
    visit(numberAt(table, 36));
    visit(numberAt(table, 40));
  }
  return tables;
}

Deno.test("AML spells as the specification's examples do", () => {
  assertEquals(eisaIdNumber("PNP0A03"), 0x030a_d041);
  assertEquals(integerBytes(0x1234), Uint8Array.of(0x0b, 0x34, 0x12));
  assertEquals([integerBytes(0), integerBytes(1), integerBytes(0xffff_ffff)].flatMap((all) => [...all]), [0, 1, 0xff]);
  assertEquals(nameBytes("^S"), Uint8Array.of(0x5e, 0x53, 0x5f, 0x5f, 0x5f));
  assertEquals(nameBytes("\\_SB.PCI0.ISA").subarray(0, 3), Uint8Array.of(0x5c, 0x2f, 3));
  assertEquals(packaged(new Uint8Array(62))[0], 63);
  assertEquals(packaged(new Uint8Array(63)).subarray(0, 2), Uint8Array.of(0x41, 0x04));
  assertEquals(packaged(new Uint8Array(4093)).subarray(0, 2), Uint8Array.of(0x4f, 0xff));
  assertEquals(packaged(new Uint8Array(4094)).subarray(0, 3), Uint8Array.of(0x81, 0x00, 0x01));
});

Deno.test("installed by the loader's script, every table is found and sums up to zero", () => {
  const { rsdp, tables } = installed(MACHINE);
  assertEquals(sum(rsdp), 0);
  assertEquals([...tables.keys()], ["RSDT", "FACP", "FACS", "DSDT", "APIC", "HPET", "WAET"]);
  for (const [name, table] of tables) if (name !== "FACS") assertEquals(sum(table), 0, name);
  const ports = new DataView(tables.get("FACP")!.buffer);
  assertEquals([56, 64, 76, 80].map((at) => ports.getUint32(at, true)), [0x600, 0x604, 0x608, 0xafe0]);
});

Deno.test("the user's tables come along, and the HPET's goes without an HPET", () => {
  const extra = new Uint8Array(40);
  extra.set(new TextEncoder().encode("OEM1"));
  extra[4] = extra.length;
  const { tables } = installed({ ...MACHINE, hpet: false, extra: [extra] });
  assertEquals([...tables.keys()], ["RSDT", "FACP", "FACS", "DSDT", "APIC", "WAET", "OEM1"]);
});

async function program(name: string, args: string[], cwd: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(name, { args, cwd, stdin: "null" }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, table] of installed(MACHINE).tables) await Deno.writeFile(`${folder}/${name}.aml`, table);
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a disassembly says, without its heading and the numbers of namespace lines. */
function terms(disassembly: string): string {
  return disassembly.slice(disassembly.indexOf("\n{")).replaceAll(/ \/\/ .*$/gm, "");
}

Deno.test({
  name: "iasl reads all tables without a complaint, and compiles the namespace to the same again",
  ignore: !haveProgram("iasl"),
}, () =>
  inFolder(async (folder) => {
    for (const table of ["RSDT", "FACP", "FACS", "DSDT", "APIC", "HPET", "WAET"]) {
      const said = await program("iasl", ["-d", `${table}.aml`], folder);
      assert(!/error|warning/i.test(said), said);
    }
    const source = await Deno.readTextFile(`${folder}/DSDT.dsl`);
    assert(!/incorrect|invalid/i.test(source));
    assertMatch(source, /If \(\(Arg0 & 0x08\)\)\s*\{\s*Notify \(S18, Arg1\)/);
    assertMatch(source, /If \(\(Arg0 & 0x80000000\)\)\s*\{\s*Notify \(SF8, Arg1\)/);
    await Deno.rename(`${folder}/DSDT.dsl`, `${folder}/again.dsl`);
    const compiled = await program("iasl", ["-oa", "-p", "again", "again.dsl"], folder);
    assertMatch(compiled, /Compilation successful\. 0 Errors, 1 Warnings/); // Processor() is an old word
    await program("iasl", ["-d", "again.aml"], folder);
    assertEquals(terms(await Deno.readTextFile(`${folder}/again.dsl`)), terms(source));
  }));

Deno.test({
  name: "ACPICA's interpreter runs the methods: routing, ejecting, hot-plug events",
  ignore: !haveProgram("acpiexec"),
}, () =>
  inFolder(async (folder) => {
    const asked = {
      "\\_SB.LNKA._STA": /\[Integer\] = 0+0B\n/,
      "\\_SB.LNKC._CRS": /89 06 00 09 01 00 00 00 00 79 00/,
      "\\_SB.LNKS._CRS": /89 06 00 09 01 09 00 00 00 79 00/,
      "\\_S5": /\[Package\] Contains 4 Elements/,
      "\\_SB.LNKB._DIS": /No object was returned/,
      "\\_SB.PCI0.S18._EJ0 1": /No object was returned/,
      "\\_GPE._E01": /No object was returned/,
      "\\_SB.PCI0.DVNT 8 1": /No object was returned/,
      "\\_SB.PCI0.DVNT 0x80000000 3": /No object was returned/,
    };
    const commands = Object.keys(asked).map((path) => `execute ${path}`);
    const said = await program("acpiexec", ["-b", commands.join(";"), "DSDT.aml"], folder);
    assert(!/exception|AE_/i.test(said), said);
    const answers = said.split(/^Evaluating /m).slice(1);
    assertEquals(answers.length, commands.length);
    for (const [index, expected] of Object.values(asked).entries()) assertMatch(answers[index]!, expected);
  }));
