/**
 * `query-command-line-options` against the real program: what moa has of each option has QEMU's names and types, and
 * what it lists the command line takes.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type QemuOptType } from "../../base/keyval.ts";
import { OptionError } from "../../base/option_error.ts";
import { BlockError, DRIVE_OPTIONS, parseDrive } from "../../block/mod.ts";
import { OPTION_GROUPS } from "../../machine/mod.ts";
import { Vm } from "../../mod.ts";
import { readArguments } from "../../tools/system/arguments.ts";
import { checkMachine } from "../../tools/system/machine_values.ts";
import { OPTIONS } from "../../tools/system/option_table.ts";
import { readSettings } from "../../tools/system/read_settings.ts";
import { defaultSettings } from "../../tools/system/settings.ts";
import { haveProgram, run } from "../support/programs.ts";

const QEMU = "qemu-system-x86_64";

interface Group {
  readonly option: string;
  readonly parameters: readonly { readonly name: string; readonly type: string }[];
}

/** What moa's own list leaves out, for it is refused or means nothing here. */
const NOT_HERE: Readonly<Record<string, readonly string[]>> = {
  // Properties of boards that are not here, and what `-kernel` and its like say.
  machine: [
    ..."loadparm dea-key-wrap aes-key-wrap iommu firmware dt_compatible phandle_start dumpdtb dtb".split(" "),
    ..."append initrd kernel kvm_shadow_mem kernel_irqchip".split(" "),
  ],
};

Deno.test({ name: "command line options have QEMU's names and types", ignore: !haveProgram(QEMU) }, async () => {
  const requests = ["qmp_capabilities", "query-command-line-options", "quit"].map((execute) => ({ execute }));
  const stdin = requests.map((request) => JSON.stringify(request)).join("\n");
  const { stdout } = await run(QEMU, "-accel tcg -S -display none -nodefaults -qmp stdio".split(" "), { stdin });
  const answer = stdout.split("\n").find((line) => line.includes('"parameters"'));
  const theirs = (JSON.parse(answer!) as { return: Group[] }).return;
  await using vm = await Vm.start({ nodefaults: true });
  const ours = await vm.qmp("query-command-line-options", {});
  const known = new Set(ours.map(({ option }) => option));
  const rows = ({ option, parameters }: Group) => {
    const left = parameters.filter(({ name }) => NOT_HERE[option]?.includes(name) !== true);
    // QEMU lists werror of a drive twice.
    return [option, ...new Set(left.map(({ name, type }) => `${name}=${type}`))];
  };
  const sorted = (groups: readonly Group[]) => groups.map(rows).map(([option, ...rest]) => [option, ...rest.sort()]);
  assertEquals(sorted(ours), sorted(theirs.filter(({ option }) => known.has(option))));
  // The others are options that moa refuses.
  for (const { option } of theirs) {
    const row = OPTIONS.get(option);
    assert(option === "" || known.has(option) || row?.kind === "refused", option);
  }
  assertEquals(
    await vm.qmp("query-command-line-options", { option: "memory" }),
    ours.filter(({ option }) => option === "memory"),
  );
});

/** The option that a group belongs to, where it has another name. */
const OPTION_OF: Readonly<Record<string, string>> = {
  "acpi": "acpitable",
  "boot-opts": "boot",
  "smp-opts": "smp",
  "memory": "m",
};

Deno.test("the command line knows each part that is listed, and none that is not", () => {
  const refusal = (args: readonly string[]) => {
    const settings = defaultSettings();
    try {
      readSettings(readArguments(args), settings);
      checkMachine(settings);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  for (const [group, table] of Object.entries(OPTION_GROUPS)) {
    const option = OPTION_OF[group] ?? group;
    assertEquals(OPTIONS.get(option)?.kind, "done", option);
    for (const name of Object.keys(table)) {
      assert(
        !/Invalid parameter|unexpected|not found/.test(refusal([`-${option}`, `${name}=on`])),
        `${option} ${name}`,
      );
    }
    if (Object.keys(table).length === 0 || group === "drive") continue;
    assert(/Invalid parameter|unexpected|not found/.test(refusal([`-${option}`, "nosuch=on"])), option);
  }
});

Deno.test("a drive's parts are read by their types", () => {
  const wrong: Readonly<Record<QemuOptType, string>> = { bool: "x", number: "x", size: "x", string: "" };
  const elsewhere = ["driver", "node-name", "auto-read-only", "force-share"]; // the node's driver judges these
  for (const [name, type] of Object.entries(DRIVE_OPTIONS)) {
    if (elsewhere.includes(name) || type === "string") continue;
    let message = "";
    try {
      parseDrive([{ name, value: wrong[type] }]);
    } catch (error) {
      assert(error instanceof OptionError || error instanceof BlockError);
      message = error.message;
    }
    assertEquals(message, `Parameter '${name}' expects ${type === "bool" ? "'on' or 'off'" : "a number"}`);
  }
});
