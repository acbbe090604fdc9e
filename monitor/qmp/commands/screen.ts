/**
 * Screen, keyboard and mouse.
 *
 * Source: qapi/ui.json.
 *
 * @module
 */
import { keyOfNumber, Q_KEY_CODES } from "../../../machine/mod.ts";
import * as hmp from "../../commands/screen.ts";
import { MonitorError } from "../../errors.ts";
import { bool, int, list, oneOf, optional, str, struct, union } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { promptOf } from "../context.ts";

export const screendump = qmpCommand({
  name: "screendump",
  summary: "Writes what the guest shows as a picture.",
  data: struct({
    filename: str,
    device: optional(str),
    head: optional(int),
    format: optional(oneOf("ppm", "png")),
  }),
  run: (context, { head, device, ...data }) => {
    if (head !== undefined && device === undefined) {
      throw new MonitorError("'head' must be specified together with 'device'");
    }
    const prompt = promptOf(context).context([]);
    return hmp.screendump.run(prompt, { ...data, device, head: head === undefined ? undefined : BigInt(head) });
  },
});

const keyValue = union(struct({ type: oneOf("number", "qcode") }), "type", {
  number: struct({ data: int }),
  qcode: struct({ data: oneOf(...Q_KEY_CODES) }),
});

/** A key by name, or by its number in scan code set 1. */
function keyOf(value: { readonly type: "number" | "qcode"; readonly data?: string | number }): string {
  return typeof value.data === "number" ? keyOfNumber(value.data) ?? "unmapped" : value.data ?? "unmapped";
}

export const sendKey = qmpCommand({
  name: "send-key",
  summary: "Presses keys together and lets them go, in the guest's time.",
  data: struct({ keys: list(keyValue), "hold-time": optional(int) }),
  run: (context, { keys, "hold-time": holdMs }) => {
    const { machine } = promptOf(context).context([]);
    void machine.keyboard.stroke({ keys: keys.map(keyOf), holdNs: hmp.holdNs(holdMs) });
  },
});

const inputEvent = union(struct({ type: oneOf("key", "btn", "rel", "abs") }), "type", {
  key: struct({ data: struct({ key: keyValue, down: bool }) }),
  btn: struct({
    data: struct({
      button: oneOf("left", "middle", "right", "wheel-up", "wheel-down", "side", "extra", "wheel-left", "wheel-right"),
      down: bool,
    }),
  }),
  rel: struct({ data: struct({ axis: oneOf("x", "y"), value: int }) }),
  abs: struct({ data: struct({ axis: oneOf("x", "y"), value: int }) }),
});

/** Bits of the mouse's buttons. */
const BUTTONS: Readonly<Record<string, number>> = { left: 1, right: 2, middle: 4 };
const WHEEL: Readonly<Record<string, number>> = { "wheel-up": -1, "wheel-down": 1 };

export const inputSendEvent = qmpCommand({
  name: "input-send-event",
  summary: "Keys, buttons and movements at once; absolute positions have no device here.",
  data: struct({ device: optional(str), head: optional(int), events: list(inputEvent) }),
  run: (context, { device, events }) => {
    const { machine } = promptOf(context).context([]);
    if (device !== undefined) throw new MonitorError(`Device '${device}' not found`);
    if (events.some(({ type }) => type === "abs")) {
      throw new MonitorError("Input handler not found for event type abs");
    }
    const { pointer, keyboard } = machine;
    const moved = { x: 0, y: 0 };
    let [wheel, buttons, isPointed] = [0, pointer.buttons, false];
    for (const event of events) {
      if (event.type === "key") {
        keyboard.key(keyOf(event.data.key), event.data.down);
        continue;
      }
      isPointed = true;
      if (event.type === "rel") moved[event.data.axis] += event.data.value;
      else if (event.type === "btn") {
        const { button, down } = event.data;
        const bit = BUTTONS[button] ?? 0;
        buttons = down ? buttons | bit : buttons & ~bit;
        if (down) wheel += WHEEL[button] ?? 0;
      }
    }
    if (isPointed) pointer.change({ dx: moved.x, dy: moved.y, wheel, buttons });
  },
});
