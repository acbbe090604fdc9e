/**
 * Screen and keyboard: `screendump`, `sendkey`.
 *
 * @module
 */
import { NS_PER_MS } from "../../base/units.ts";
import { encodePng, encodePpm, findCard, parseKeys } from "../../machine/mod.ts";
import { picture } from "../../devices/vga/mod.ts";
import type { MonitorContext } from "../context.ts";
import { MonitorError } from "../errors.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

/** What a screendump is to be. */
export interface DumpRequest {
  readonly filename: string;
  readonly format?: string | undefined;
  readonly device?: string | undefined;
  readonly head?: bigint | undefined;
}

export const screendump = command({
  name: "screendump",
  summary: "Writes what the guest shows as a picture: PPM, or PNG.",
  arguments: {
    filename: arg.file(),
    format: arg.valued("f"),
    device: arg.optional(arg.string()),
    head: arg.optional(arg.int32()),
  },
  run: (context, values): Promise<void> => dump(context, values),
  hmp: {
    names: "screendump",
    parameters: "filename [-f format] [device [head]]",
    help: "save screen from head 'head' of display device 'device'in specified format 'format' as image 'filename'." +
      "Currently only 'png' and 'ppm' formats are supported.",
  },
});

async function dump({ machine, writeBytes }: MonitorContext, request: DumpRequest): Promise<void> {
  const { filename, format = "ppm", device, head } = request;
  if (format !== "ppm" && format !== "png") throw new MonitorError(`invalid parameter value: ${format}`);
  const shown = picture(findCard(machine, device, Number(head ?? 0)));
  await writeBytes(filename, format === "png" ? encodePng(shown) : encodePpm(shown));
}

/** QEMU's; what it says of it is 100. */
const DEFAULT_HOLD_MS = 10;
const MAX_HOLD_MS = 60_000;

/** How long is waited after each key goes down or up, where `holdMs` was asked for. */
export function holdNs(holdMs: number | undefined): number {
  const hold = holdMs === undefined || holdMs <= 0 ? DEFAULT_HOLD_MS : Math.min(holdMs, MAX_HOLD_MS);
  return hold * NS_PER_MS;
}

export const sendkey = command({
  name: "sendkey",
  summary: "Presses keys together and lets them go, in the guest's time.",
  arguments: { keys: arg.string(), holdMs: arg.optional(arg.int32()) },
  run({ machine }, { keys: text, holdMs }): void {
    const parsed = parseKeys(text);
    if ("wrong" in parsed) throw new MonitorError(`invalid parameter: ${parsed.wrong}`);
    const hold = holdNs(holdMs === undefined ? undefined : Number(holdMs));
    // Nobody waits: the guest may stand still.
    void machine.keyboard.stroke({ keys: parsed.keys, holdNs: hold });
  },
  hmp: {
    names: "sendkey",
    parameters: "keys [hold_ms]",
    help: "send keys to the VM (e.g. 'sendkey ctrl-alt-f1', default hold time=100 ms)",
    errorPrefix: "",
  },
});
