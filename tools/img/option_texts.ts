/**
 * `-o`, which may be given several times.
 *
 * @module
 */
import type { Program } from "../common/program.ts";

/** The values of all `-o`, in order; lists that have a comma too many are refused. @throws {Exit} */
export function optionTexts(
  program: Program,
  options: readonly { readonly is: string; readonly value: string }[],
): string[] {
  const texts = options.filter(({ is }) => is === "o").map(({ value }) => value);
  const bad = texts.find((text) => text === "" || text.startsWith(",") || /(?:^|[^,])(?:,,)*,$/.test(text));
  if (bad !== undefined) program.fail(`Invalid option list: ${bad}`);
  return texts;
}
