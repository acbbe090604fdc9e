/**
 * Damage that once led to something that must not happen, by target and seed; each is tried again with every test.
 *
 * @module
 */

/** What was wrong, and what shows it. */
export const CORPUS: readonly { readonly target: string; readonly seed: number; readonly what: string }[] = [];
