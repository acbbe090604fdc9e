/**
 * The guest's screen as a script has it: its characters, waiting for some, and pictures.
 *
 * @module
 */
import { type Picture, picture, type TextScreen, textScreen } from "../../devices/vga/mod.ts";
import { encodePng, encodePpm, findCard, type Machine } from "../../machine/mod.ts";
import { writeBytesFile } from "../write_file.ts";
import type { Deadlines, WaitLimits } from "./deadline.ts";
import type { Found, TextPattern } from "./text_log.ts";
import { TextLog } from "./text_log.ts";

const LOOK_EVERY_MS = 20;

/** The screen of the first graphics card. */
export class VmScreen {
  readonly #machine: Machine;
  readonly #deadlines: Deadlines;

  constructor(machine: Machine, deadlines: Deadlines) {
    this.#machine = machine;
    this.#deadlines = deadlines;
  }

  /** The characters by row and where the cursor is; `undefined` in a graphics mode. @throws ScreenError without a card */
  get characters(): TextScreen | undefined {
    return textScreen(findCard(this.#machine));
  }

  /**
   * All rows, without empty ones at the end; `""` in a graphics mode. Blanks at a row's end are cut off, but for those before
   * the cursor: a prompt that ends in a blank does so here.
   */
  text(): string {
    const { lines, cursor } = this.characters ?? { lines: [], cursor: undefined };
    const last = lines.findLastIndex((line) => line !== "");
    return lines.slice(0, last + 1).map((line, row) => line.padEnd(row === cursor?.row ? cursor.column : 0)).join("\n");
  }

  /** What is shown as pixels. */
  picture(): Picture {
    return picture(findCard(this.#machine));
  }

  /** Writes what is shown to a file; PNG where its name says so or `format` does, else PPM. @throws MonitorError */
  async dump(filename: string, options: { readonly format?: "ppm" | "png" } = {}): Promise<void> {
    const format = options.format ?? (/\.png$/i.test(filename) ? "png" : "ppm");
    await writeBytesFile(filename, format === "png" ? encodePng(this.picture()) : encodePpm(this.picture()));
  }

  /**
   * Resolves when the screen shows `pattern`, which may span rows (`\n` between them).
   *
   * @throws WaitError at a deadline, with the screen, the last serial lines and the guest's last requests
   */
  async waitFor(pattern: TextPattern, limits: WaitLimits = {}): Promise<Found> {
    // A machine without a card never shows anything: say so at once.
    findCard(this.#machine);
    return await this.#deadlines.wait<Found>(`screen: ${String(pattern)}`, limits, (found) => {
      const look = () => {
        const log = new TextLog(Number.MAX_SAFE_INTEGER);
        log.append(this.text());
        log.next(pattern, found);
      };
      const timer = setInterval(look, LOOK_EVERY_MS);
      look();
      return () => clearInterval(timer);
    });
  }
}

/** The screen's characters for a message; nothing where there are none. */
export function screenEvidence(machine: Machine): string {
  const hasCard = machine.devices.some(({ type }) => type.name === "VGA");
  const lines = hasCard ? (textScreen(findCard(machine))?.lines ?? []).join("\n").trimEnd() : "";
  return lines === "" ? "" : `the screen:\n${lines.split("\n").map((line) => `  ${line}\n`).join("")}`;
}
