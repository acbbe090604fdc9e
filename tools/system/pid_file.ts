/**
 * `-pidfile`: holds the number of the process that does the work while it does.
 *
 * @module
 */
import { hostReason } from "../../base/errno.ts";
import { CommandLineError } from "./arguments.ts";

/** The file; it is removed in the end. */
export class PidFile implements Disposable {
  readonly #filename: string;

  /** @throws CommandLineError where it cannot be made */
  constructor(filename: string) {
    this.#filename = filename;
    try {
      Deno.writeTextFileSync(filename, `${Deno.pid}\n`, { mode: 0o600 });
    } catch (error) {
      throw new CommandLineError(`cannot create PID file: Could not create '${filename}': ${hostReason(error)}`);
    }
  }

  [Symbol.dispose](): void {
    try {
      Deno.removeSync(this.#filename);
    } catch {
      // Somebody else has removed it.
    }
  }
}
