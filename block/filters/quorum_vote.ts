/**
 * Who wins a vote among copies of the same bytes, or among their errors.
 *
 * @module
 */
import { errnoOf } from "../errors.ts";

/** Copies that hold what most of them hold, and the others; of two equal camps the one of the first copy wins. */
export function vote(
  answers: ReadonlyMap<number, Uint8Array>,
): { readonly winners: readonly number[]; readonly losers: readonly number[] } {
  const camps: number[][] = [];
  for (const [index, bytes] of answers) {
    const camp = camps.find(([first]) => Buffer.compare(answers.get(first!)!, bytes) === 0);
    if (camp === undefined) camps.push([index]);
    else camp.push(index);
  }
  const winners = camps.reduce<number[]>((best, camp) => camp.length > best.length ? camp : best, []);
  return { winners, losers: [...answers.keys()].filter((index) => !winners.includes(index)) };
}

/** The error that most copies gave; of equally many the first. */
export function settle(errors: readonly unknown[]): unknown {
  const count = (error: unknown) => errors.filter((other) => errnoOf(other) === errnoOf(error)).length;
  return errors.reduce((best, error) => count(error) > count(best) ? error : best);
}
