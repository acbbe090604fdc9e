/**
 * The serial ports of a script's machine: what is at their other ends.
 *
 * @module
 */
import { type ChardevSet, parseShortForm } from "../../machine/mod.ts";
import type { VmOptions } from "./options.ts";
import { VmSerial } from "./serial.ts";

const LINES_OF_EVIDENCE = 20;

/** A port's other end; without `id` there is no port. */
export interface SerialEnd {
  readonly id: string | undefined;
  readonly script: VmSerial | undefined;
}

/** Opens the character devices of all ports. @throws ChardevError with QEMU's text */
export async function openSerials(options: VmOptions, chardevs: ChardevSet): Promise<SerialEnd[]> {
  const wanted = options.serial ?? (options.nodefaults ? [] : ["script"]);
  const ends: SerialEnd[] = [];
  for (const [index, text] of wanted.entries()) {
    const label = `serial${index}`;
    const named = /^chardev:(.*)$/s.exec(text)?.[1];
    if (text === "none") ends.push({ id: undefined, script: undefined });
    else if (named !== undefined) ends.push({ id: named, script: undefined });
    else if (text === "script") {
      const script = new VmSerial(label);
      chardevs.put(script.chardev);
      ends.push({ id: label, script });
    } else {
      await chardevs.add(label, parseShortForm(text));
      ends.push({ id: label, script: undefined });
    }
  }
  return ends;
}

/** The last lines of a port, for a message; nothing where the guest said nothing. */
export function serialEvidence(serial: VmSerial): string {
  const lines = serial.lines(LINES_OF_EVIDENCE);
  if (lines.length === 0) return "";
  return `the last lines on ${serial.chardev.label}:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
