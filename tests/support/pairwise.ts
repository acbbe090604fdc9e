/**
 * Few choices in which every pair of values meets: what two options do to each other is seen without trying all of them.
 *
 * @module
 */

/** Option by option its values; the first goes with everything. */
export type Choices = Readonly<Record<string, readonly string[]>>;
/** One value for each option. */
export type Choice = Readonly<Record<string, string>>;

/** Choices that have every pair of values that `isPossible` allows beside first values. */
export function pairwise(choices: Choices, isPossible: (choice: Choice) => boolean): Choice[] {
  const names = Object.keys(choices);
  const plain: Choice = Object.fromEntries(names.map((name) => [name, choices[name]![0]!]));
  const pairOf = (a: string, one: string, b: string, other: string) =>
    a < b ? `${a}=${one} ${b}=${other}` : `${b}=${other} ${a}=${one}`;
  const open = new Map<string, [a: string, one: string, b: string, other: string]>();
  for (const [index, a] of names.entries()) {
    for (const b of names.slice(index + 1)) {
      for (const one of choices[a]!) {
        for (const other of choices[b]!) {
          if (isPossible({ ...plain, [a]: one, [b]: other })) open.set(pairOf(a, one, b, other), [a, one, b, other]);
        }
      }
    }
  }
  const found: Choice[] = [];
  for (let next = first(open); next !== undefined; next = first(open)) {
    const [a, one, b, other] = next;
    const chosen: Record<string, string> = { [a]: one, [b]: other };
    for (const name of names.filter((name) => !(name in chosen))) {
      const gain = (value: string) =>
        Object.keys(chosen).filter((done) => open.has(pairOf(name, value, done, chosen[done]!))).length;
      const possible = choices[name]!.filter((value) => isPossible({ ...plain, ...chosen, [name]: value }));
      chosen[name] = possible.reduce((best, value) => gain(value) > gain(best) ? value : best);
    }
    for (const [index, left] of names.entries()) {
      for (const right of names.slice(index + 1)) open.delete(pairOf(left, chosen[left]!, right, chosen[right]!));
    }
    found.push(chosen);
  }
  return found;
}

function first<K, V>(map: ReadonlyMap<K, V>): V | undefined {
  for (const value of map.values()) return value;
  return undefined;
}
