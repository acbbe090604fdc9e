/**
 * The groups of one graph, by name: made by their first member, or by the user as an object.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { ThrottleGroup, type ThrottleMember } from "./group.ts";

/** All groups. */
export class ThrottleGroups {
  readonly #clock: Clock;
  readonly #groups = new Map<string, ThrottleGroup>();
  /** Groups that the user made: they stay without members. */
  readonly #kept = new Set<ThrottleGroup>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  find(name: string): ThrottleGroup | undefined {
    return this.#groups.get(name);
  }

  /** A new member of the group `name`, which is made if need be. */
  join(name: string): ThrottleMember {
    let group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, group = new ThrottleGroup(name, this.#clock));
    return group.join();
  }

  /** Ends a membership, and the group with its last member. */
  leave(member: ThrottleMember): void {
    const { group } = member;
    group.leave(member);
    if (group.isEmpty && !this.#kept.has(group)) this.#groups.delete(group.name);
  }

  /** A group of the user's own; its name is free. */
  add(name: string): ThrottleGroup {
    const group = new ThrottleGroup(name, this.#clock);
    this.#groups.set(name, group);
    this.#kept.add(group);
    return group;
  }

  /** Takes a group of the user's own away, which has no members. */
  remove(group: ThrottleGroup): void {
    this.#kept.delete(group);
    if (group.isEmpty) this.#groups.delete(group.name);
  }
}
