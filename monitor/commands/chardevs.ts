/**
 * Character devices at the prompt.
 *
 * Source: behaviour of QEMU 7.2.
 *
 * @module
 */
import { parseChardev, type PtyChardev } from "../../machine/mod.ts";
import { chardevInfos, ringNamed } from "../qmp/commands/chardevs.ts";
import { arg } from "../schema/arguments.ts";
import { command, type HmpOutput } from "../schema/command.ts";

export const infoChardev = command({
  name: "query-chardev",
  summary: "All character devices.",
  arguments: {},
  run: ({ chardevs }) => chardevInfos(chardevs),
  hmp: {
    names: "chardev",
    group: "info",
    parameters: "",
    help: "show the character devices",
    print(output, all) {
      for (const { label, filename } of all) output.print(`${label}: filename=${filename}\n`);
    },
  },
});

function printTerminal(output: HmpOutput, terminal: PtyChardev | undefined): void {
  if (terminal !== undefined) output.print(`${terminal.announcement}\n`);
}

export const chardevAdd = command({
  name: "chardev-add",
  summary: "Makes a character device, as -chardev does.",
  arguments: { args: arg.string() },
  async run({ chardevs }, { args }): Promise<PtyChardev | undefined> {
    const { id, wish } = parseChardev(args);
    await chardevs.add(id, wish);
    return chardevs.terminalOf(id);
  },
  hmp: { names: "chardev-add", parameters: "args", help: "add chardev", print: printTerminal },
});

export const chardevChange = command({
  name: "chardev-change",
  summary: "Puts another character device in the place of one, under its frontend.",
  arguments: { id: arg.string(), args: arg.string() },
  async run({ chardevs }, { id, args }): Promise<PtyChardev | undefined> {
    await chardevs.change(id, parseChardev(`${args},id=${id}`).wish);
    return chardevs.terminalOf(id);
  },
  hmp: { names: "chardev-change", parameters: "id args", help: "change chardev", print: printTerminal },
});

export const chardevRemove = command({
  name: "chardev-remove",
  summary: "Takes away a character device that nobody uses.",
  arguments: { id: arg.string() },
  run: ({ chardevs }, { id }): Promise<void> => chardevs.remove(id),
  hmp: { names: "chardev-remove", parameters: "id", help: "remove chardev" },
});

export const chardevSendBreak = command({
  name: "chardev-send-break",
  summary: "Tells a device's frontend of a break condition.",
  arguments: { id: arg.string() },
  run: ({ chardevs }, { id }): void => chardevs.get(id).injectBreak(),
  hmp: { names: "chardev-send-break", parameters: "id", help: "send a break on chardev" },
});

export const ringbufRead = command({
  name: "ringbuf_read",
  summary: "Takes the oldest bytes out of a ring buffer.",
  arguments: { device: arg.string(), size: arg.int32() },
  run: ({ chardevs }, { device, size }): string =>
    new TextDecoder().decode(ringNamed(chardevs, device).take(Math.max(0, Number(size)))),
  hmp: {
    names: "ringbuf_read",
    parameters: "device size",
    help: "Read from a ring buffer character device",
    // Control codes do not reach the terminal.
    print: (output, text) =>
      // deno-lint-ignore no-control-regex -- that is what is meant
      output.print(`${text.replace(/\\/g, "\\\\").replace(/[\x00-\x08\x0b-\x1f\x7f]/g, escaped)}\n`),
  },
});

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

export const ringbufWrite = command({
  name: "ringbuf_write",
  summary: "Writes into a ring buffer.",
  arguments: { device: arg.string(), data: arg.string() },
  run: ({ chardevs }, { device, data }): void => ringNamed(chardevs, device).put(new TextEncoder().encode(data)),
  hmp: { names: "ringbuf_write", parameters: "device data", help: "Write to a ring buffer character device" },
});
