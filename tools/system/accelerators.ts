/**
 * Which accelerator runs the machine: the first of those asked for that is to be had.
 *
 * Today there is `qtest`, which has no CPU. `tcg` is taken for it with a note, so that scripts that carry it along start.
 *
 * @module
 */
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

const KNOWN_ELSEWHERE = ["kvm", "xen", "hax", "hvf", "nvmm", "whpx"];

/** Chooses; `notice` takes lines without the program's name. @throws CommandLineError where none is to be had */
export function chooseAccelerator(settings: Settings, notice: (line: string) => void): "qtest" | "tcg" {
  const list = settings.machineProperties.get("accel");
  if (list !== undefined && settings.accelerators.length > 0) {
    throw new CommandLineError('The -accel and "-machine accel=" options are incompatible');
  }
  const wanted: { readonly name: string; readonly origin?: string }[] = list === undefined
    ? settings.accelerators
    : list.split(":").map((name) => ({ name }));
  if (wanted.length === 0) return "qtest";
  let failure: CommandLineError | undefined;
  for (const { name, origin } of wanted) {
    if (name === "qtest" || name === "tcg") return name;
    if (!KNOWN_ELSEWHERE.includes(name)) failure = new CommandLineError(`invalid accelerator ${name}`, origin);
    else {
      if (name === "kvm") notice("Could not access KVM kernel module: No such file or directory");
      failure = new CommandLineError(`failed to initialize ${name}: No such file or directory`, origin);
    }
  }
  throw failure!;
}
