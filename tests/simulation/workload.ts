/**
 * What the guest and its operator do, as a list of steps that a seed writes down beforehand, so that a failing list can
 * be shortened and run again. Numbers in a step are taken modulo what is there when it is done.
 *
 * @module
 */
import type { Random } from "../../base/random.ts";
import type { Features } from "./features.ts";

export type StepKind =
  | "write"
  | "write through"
  | "read"
  | "zero"
  | "zero and unmap"
  | "discard"
  | "flush"
  | "compress"
  | "snapshot"
  | "apply"
  | "delete"
  | "resize"
  | "commit"
  | "amend"
  | "repair"
  | "bitmap"
  | "reopen"
  | "lose power";

/** One thing to do. */
export interface Step {
  readonly kind: StepKind;
  /** Where, which, how much: whatever the kind takes. */
  readonly a: number;
  readonly b: number;
}

const WEIGHTS: readonly [kind: StepKind, weight: number, needs?: (features: Features) => boolean][] = [
  ["write", 22],
  ["write through", 2],
  ["read", 5],
  ["zero", 3],
  ["zero and unmap", 3],
  ["discard", 4],
  ["flush", 5],
  ["compress", 4, ({ compression }) => compression !== "none"],
  ["snapshot", 3, ({ snapshots }) => snapshots],
  ["apply", 2, ({ snapshots }) => snapshots],
  ["delete", 2, ({ snapshots }) => snapshots],
  ["resize", 3, ({ resize }) => resize],
  ["commit", 2, ({ backing }) => backing !== "none"],
  ["amend", 2, ({ amend }) => amend],
  ["repair", 1],
  ["bitmap", 3, ({ bitmaps }) => bitmaps],
  ["reopen", 1],
  ["lose power", 1],
];

/** A list of `count` steps. */
export function writeSteps(random: Random, features: Features, count: number): Step[] {
  const possible = WEIGHTS.filter(([, , needs]) => needs?.(features) ?? true);
  const total = possible.reduce((sum, [, weight]) => sum + weight, 0);
  return Array.from({ length: count }, () => {
    let left = random.below(total);
    const [kind] = possible.find(([, weight]) => (left -= weight) < 0)!;
    return { kind, a: random.uint32(), b: random.uint32() };
  });
}

/** Steps in a form that survives a change of the weights above: `kind:a:b,...`. */
export function formatSteps(steps: readonly Step[]): string {
  return steps.map(({ kind, a, b }) => `${kind.replaceAll(" ", "_")}:${a.toString(36)}:${b.toString(36)}`).join(",");
}

/** What {@link formatSteps} wrote. @throws where it did not */
export function parseSteps(text: string): Step[] {
  return text.split(",").filter((step) => step !== "").map((step) => {
    const [name, a, b] = step.split(":");
    const kind = WEIGHTS.find(([kind]) => kind === name?.replaceAll("_", " "))?.[0];
    if (kind === undefined) throw new Error(`replay: ${step} is no step`);
    return { kind, a: Number.parseInt(a ?? "", 36), b: Number.parseInt(b ?? "", 36) };
  });
}
