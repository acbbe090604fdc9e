/**
 * Which accelerator runs the machine: the first of those asked for that is to be had.
 *
 * There are `v86`, a CPU, and `qtest`, which has none. `tcg` means the former.
 *
 * @module
 */
import type { AcceleratorWish } from "../../machine/mod.ts";
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

const KNOWN_ELSEWHERE = ["kvm", "xen", "hax", "hvf", "nvmm", "whpx"];

/**
 * Chooses; `undefined` where nothing was asked for. `notice` takes lines without the program's name.
 *
 * @throws CommandLineError where none is to be had
 */
export function chooseAccelerator(settings: Settings, notice: (line: string) => void): AcceleratorWish | undefined {
  const { icount } = settings;
  const list = settings.machineProperties.get("accel");
  if (list !== undefined && settings.accelerators.length > 0) {
    throw new CommandLineError('The -accel and "-machine accel=" options are incompatible');
  }
  const wanted: { readonly name: string; readonly origin?: string }[] = list === undefined
    ? settings.accelerators
    : list.split(":").map((name) => ({ name }));
  const v86 = { name: "v86", ...(icount === undefined ? {} : { icount }) } as const;
  if (wanted.length === 0) return icount === undefined ? undefined : v86;
  let failure: CommandLineError | undefined;
  for (const { name, origin } of wanted) {
    if (name === "qtest") return { name };
    if (name === "v86" || name === "tcg") return v86;
    if (!KNOWN_ELSEWHERE.includes(name)) failure = new CommandLineError(`invalid accelerator ${name}`, origin);
    else {
      if (name === "kvm") notice("Could not access KVM kernel module: No such file or directory");
      failure = new CommandLineError(`failed to initialize ${name}: No such file or directory`, origin);
    }
  }
  throw failure!;
}
