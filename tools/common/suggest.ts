/**
 * "Did you mean": the known word that is nearest to a mistyped one.
 *
 * @module
 */

/** The word of `known` that takes the fewest changes, if those are at most a third of its letters; or none. */
export function suggest(typed: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestChanges = Infinity;
  for (const word of known) {
    const changes = distance(typed, word);
    if (changes < bestChanges && changes <= Math.max(1, Math.floor(word.length / 3))) {
      best = word;
      bestChanges = changes;
    }
  }
  return best;
}

/** How many letters are put in, taken out, replaced or swapped with their neighbour. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      }
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
