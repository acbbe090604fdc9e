/**
 * One line that says where an installation stands: rewritten in place on a terminal, a line each elsewhere.
 *
 * @module
 */

/** Where it is written. */
export interface ProgressOutput {
  readonly terminal: boolean;
  /** How wide the terminal is: a line that wraps could not be rewritten. */
  readonly columns?: () => number;
  write(text: string): void;
}

const WIDTH = 30;
/** How much further it must be for a new line where lines are not rewritten. */
const STEP = 0.1;

/** The line. */
export class ProgressLine {
  readonly #output: ProgressOutput;
  readonly #now: () => number;
  readonly #startMs: number;
  #text = "";
  #done = 0;
  #written = 0;

  /** @param now milliseconds of any clock */
  constructor(output: ProgressOutput, now: () => number) {
    this.#output = output;
    this.#now = now;
    this.#startMs = now();
  }

  /** A new thing is going on. */
  say(text: string): void {
    this.#text = text;
    this.#done = 0;
    this.#written = 0;
    this.#show();
  }

  /** How far it is, 0 to 1. */
  at(done: number): void {
    if (done <= this.#done) return;
    this.#done = done;
    if (!this.#output.terminal && done - this.#written < STEP && done < 1) return;
    this.#written = done;
    this.#show();
  }

  /** Some time has passed: a terminal's line shows it. */
  tick(): void {
    if (this.#output.terminal && this.#text !== "") this.#show();
  }

  /** Leaves the line as it is. */
  end(): void {
    this.#text = "";
    if (this.#output.terminal) this.#output.write("\n");
  }

  #show(): void {
    const seconds = Math.floor((this.#now() - this.#startMs) / 1000);
    const clock = `${String(Math.floor(seconds / 60)).padStart(3)}:${String(seconds % 60).padStart(2, "0")}`;
    const filled = Math.round(this.#done * WIDTH);
    const bar = this.#done === 0 ? "" : ` [${"#".repeat(filled).padEnd(WIDTH)}] ${Math.round(this.#done * 100)} %`;
    const line = `${clock}  ${this.#text}${bar}`;
    const { terminal, columns } = this.#output;
    this.#output.write(terminal ? `\r\x1b[K${cut(line, columns?.())}` : `${line}\n`);
  }
}

/** The last column stays free: there some terminals wrap already. */
function cut(line: string, columns = Infinity): string {
  return line.length < columns ? line : `${line.slice(0, Math.max(0, columns - 4))}...`;
}
