/**
 * `throttle-group`: limits that drives and `throttle` nodes share by naming the object.
 *
 * Limits come as `limits` or one by one as `x-...`; only `limits` changes later, for all who use the group.
 *
 * Source: qapi/qom.json, ThrottleGroupProperties; the texts are QEMU 7.2's.
 *
 * @module
 */
import { BlockError } from "../errors.ts";
import { LIMIT_NAMES, limitNumbers, limitsOf, type ThrottleLimits } from "../throttling/limits.ts";
import type { ThrottleGroupObject } from "../throttling/groups.ts";
import type { ObjectType, PropertyRow, PropertyValue, UserObject } from "./types.ts";

const MAX_LENGTH_SECONDS = 2 ** 32 - 1;

/** A group of the user's own. */
export class ThrottleGroupHolder implements UserObject, ThrottleGroupObject {
  readonly type = "throttle-group";
  readonly id: string;
  #limits: ThrottleLimits;
  readonly #users = new Set<(limits: ThrottleLimits) => void>();

  constructor(id: string, limits: ThrottleLimits) {
    this.id = id;
    this.#limits = limits;
  }

  get limits(): ThrottleLimits {
    return this.#limits;
  }

  get isInUse(): boolean {
    return this.#users.size > 0;
  }

  use(changed: (limits: ThrottleLimits) => void): () => void {
    // A function of its own for each user, even of one that comes twice.
    const user = (limits: ThrottleLimits) => changed(limits);
    this.#users.add(user);
    return () => void this.#users.delete(user);
  }

  get(name: string): PropertyValue | undefined {
    const numbers = limitNumbers(this.#limits);
    return name === "limits" ? numbers : numbers[name.replace(/^x-/, "")];
  }

  set(name: string, value: PropertyValue): void {
    if (name !== "limits") {
      throw new BlockError({ kind: "option", option: name, text: "Property cannot be set after initialization" });
    }
    this.#limits = limitsOf(checkedLimits(value), this.#limits);
    for (const user of this.#users) user(this.#limits);
  }
}

/** `qom-list` shows them in this order. */
const LISTED = (
  "x-bps-write-max-length x-iops-total-max-length x-iops-size limits x-bps-total x-iops-read-max-length x-bps-write " +
  "x-iops-write-max-length x-bps-read-max x-iops-read-max x-bps-total-max x-bps-read-max-length x-iops-read x-bps-read " +
  "x-bps-write-max x-iops-total-max x-iops-total x-iops-write x-bps-total-max-length x-iops-write-max"
).split(" ");

/** The type's row. */
export const throttleGroupType: ObjectType = {
  name: "throttle-group",
  parent: "object",
  properties: {
    limits: { type: "ThrottleLimits", members: LIMIT_NAMES },
    ...Object.fromEntries(LIMIT_NAMES.map((name): [string, PropertyRow] => [`x-${name}`, { type: "int" }])),
  },
  listed: LISTED.map((name) => ({ name, type: name === "limits" ? "ThrottleLimits" : "int" })),
  make(id, properties) {
    const single: Record<string, number> = {};
    for (const [name, value] of Object.entries(properties)) {
      if (name !== "limits") single[name.slice("x-".length)] = singleLimit(name, value as number);
    }
    const { limits } = properties;
    const before = limits === undefined ? undefined : limitsOf(checkedLimits(limits));
    return new ThrottleGroupHolder(id, limitsOf(single, before));
  },
};

function singleLimit(name: string, value: number): number {
  if (value < 0) throw refusal(name, "Property values cannot be negative");
  if (name.endsWith("-length") && value > MAX_LENGTH_SECONDS) {
    // So it is spelled there.
    throw refusal(name, `${name} value must be in therange [0, ${MAX_LENGTH_SECONDS}]`);
  }
  return value;
}

function checkedLimits(value: PropertyValue): Readonly<Record<string, number>> {
  const numbers = value as Readonly<Record<string, number>>;
  for (const [name, number] of Object.entries(numbers)) {
    if (name.endsWith("-length") && number > MAX_LENGTH_SECONDS) {
      throw refusal(name, `${name} value must be in the range [0, ${MAX_LENGTH_SECONDS}]`);
    }
  }
  return numbers;
}

function refusal(option: string, text: string): BlockError {
  return new BlockError({ kind: "option", option, text });
}
