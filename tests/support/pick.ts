/**
 * A choice by chance.
 *
 * @module
 */
import type { Random } from "../../base/random.ts";

/** One of `choices`, of which there are some. */
export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.below(choices.length)]!;
}
