/**
 * What lessons share: a question, a table, and the numbers that it is expected to show.
 *
 * @module
 */
import { requirePermissions } from "../../mod.ts";

/** One row: what was looked at, and what was found, by column. */
export type Row = Readonly<Record<string, string | number>>;

/** A lesson under way. */
export class Lesson {
  readonly #rows: Row[] = [];

  /** Asks for the permissions that scripts need, and prints the question. */
  constructor(question: string) {
    requirePermissions("script");
    console.log(`${question}\n`);
  }

  /** Adds a row to the table. */
  row(row: Row): void {
    this.#rows.push(row);
  }

  /** Prints the table and what is to be learnt; ends with status 1 where a row is not the one that is expected. */
  end(expected: readonly Row[], learnt: string): never {
    const columns = Object.keys(expected[0] ?? {});
    const lines = [columns, ...this.#rows.map((row) => columns.map((column) => `${row[column] ?? ""}`))];
    const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
    for (const line of lines) {
      console.log(line.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd());
    }
    const wrong = expected.findIndex((row, i) => columns.some((column) => row[column] !== this.#rows[i]?.[column]));
    if (wrong >= 0 || this.#rows.length !== expected.length) {
      console.error(`\nnot as expected, from row ${wrong + 1} on: ${JSON.stringify(expected[wrong])}`);
      Deno.exit(1);
    }
    console.log(`\n${learnt}`);
    Deno.exit(0);
  }
}
