/**
 * The groups of one graph, by name: made by their first member, or by the user as an object.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { ThrottleGroup, type ThrottleMember } from "./group.ts";
import type { ThrottleLimits } from "./limits.ts";

/** A group that the user has made, with limits that may change. */
export interface ThrottleGroupObject {
  readonly id: string;
  readonly limits: ThrottleLimits;
  /** Calls `changed` with new limits until the returned function is called: the object is in use meanwhile. */
  use(changed: (limits: ThrottleLimits) => void): () => void;
}

/** Where objects are found. */
export interface ThrottleGroupSource {
  throttleGroup(id: string): ThrottleGroupObject | undefined;
}

/** All groups. */
export class ThrottleGroups {
  readonly #clock: Clock;
  readonly #objects: ThrottleGroupSource | undefined;
  readonly #groups = new Map<string, ThrottleGroup>();
  /** Ends the use of the object that a group was made of. */
  readonly #release = new Map<ThrottleGroup, () => void>();

  /** `objects`: those that the user makes by name. */
  constructor(clock: Clock, objects?: ThrottleGroupSource) {
    this.#clock = clock;
    this.#objects = objects;
  }

  /** Whether there is such a group, or an object that one can be made of. */
  exists(name: string): boolean {
    return this.#groups.has(name) || this.#objects?.throttleGroup(name) !== undefined;
  }

  find(name: string): ThrottleGroup | undefined {
    return this.#groups.get(name);
  }

  /** A new member of the group `name`, which is made if need be. */
  join(name: string): ThrottleMember {
    let group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, group = this.#make(name));
    return group.join();
  }

  /** Ends a membership, and the group with its last member. */
  leave(member: ThrottleMember): void {
    const { group } = member;
    group.leave(member);
    if (!group.isEmpty) return;
    this.#groups.delete(group.name);
    this.#release.get(group)?.();
    this.#release.delete(group);
  }

  #make(name: string): ThrottleGroup {
    const group = new ThrottleGroup(name, this.#clock);
    const object = this.#objects?.throttleGroup(name);
    if (object === undefined) return group;
    group.setLimits(object.limits);
    this.#release.set(group, object.use((limits) => group.setLimits(limits)));
    return group;
  }
}
