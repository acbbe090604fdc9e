/**
 * The options of the command line, for programs that ask before they start a machine.
 *
 * Left out: sentences that explain a parameter, and defaults.
 *
 * Source: qapi/misc.json.
 *
 * @module
 */
import type { QemuOptTable, QemuOptType } from "../../../base/keyval.ts";
import { OPTION_GROUPS } from "../../../machine/mod.ts";
import { MonitorError } from "../../errors.ts";
import { list, oneOf, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";

/** What QAPI calls the types. */
const TYPE_NAMES = { string: "string", bool: "boolean", number: "number", size: "size" } as const satisfies Record<
  QemuOptType,
  string
>;

/** QAPI's CommandLineOptionInfo. */
const optionInfo = struct({
  option: str,
  parameters: list(struct({
    name: str,
    type: oneOf("string", "boolean", "number", "size"),
    help: optional(str),
    default: optional(str),
  })),
});

export const queryCommandLineOptions = qmpCommand({
  name: "query-command-line-options",
  summary: "The options of the command line that consist of named parts, by QEMU's names of such groups.",
  data: struct({ option: optional(str) }),
  returns: list(optionInfo),
  run(_context, { option }) {
    if (option !== undefined && !Object.hasOwn(OPTION_GROUPS, option)) {
      throw new MonitorError(`invalid option name: ${option}`);
    }
    return Object.entries(OPTION_GROUPS)
      .filter(([name]) => option === undefined || name === option)
      .map(([name, table]) => ({ option: name, parameters: parameters(table) }));
  },
});

/** QEMU tells the last one first. */
function parameters(table: QemuOptTable) {
  return Object.entries(table).reverse().map(([name, type]) => ({ name, type: TYPE_NAMES[type] }));
}
