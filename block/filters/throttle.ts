/**
 * `throttle`: requests wait for their turn in a throttle group, which the user has made as an object.
 *
 * Zero writes and discards count as writes of their length; flushes pass.
 *
 * Source: docs/throttle, "The throttle filter"; qapi/block-core.json, BlockdevOptionsThrottle.
 *
 * @module
 */
import type { IoVector } from "../../base/io_vector.ts";
import type { DriverDefinition, Reopening, ZeroOptions } from "../driver.ts";
import { BlockError } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import type { BlockdevOptionsThrottle } from "../options/blockdev.ts";
import type { Direction, ThrottleMember } from "../throttling/group.ts";
import type { ThrottleGroups } from "../throttling/groups.ts";
import { Filter } from "./filter.ts";

class ThrottleDriver extends Filter {
  readonly #groups: ThrottleGroups;
  #member: ThrottleMember;

  constructor(below: BlockNode, groups: ThrottleGroups, group: string) {
    super("throttle", below);
    this.#groups = groups;
    this.#member = groups.join(group);
  }

  get reopening(): Reopening {
    return {
      options: ["throttle-group"],
      file: true,
      prepare: (options) => {
        const group = checkedGroup(this.#groups, options["throttle-group"]);
        return () => {
          if (group === this.#member.group.name) return;
          const before = this.#member;
          this.#member = this.#groups.join(group);
          this.#groups.leave(before);
          // Somebody drains, or nothing could change here.
          this.#member.suspend();
        };
      },
    };
  }

  override read(at: number, into: IoVector): Promise<void> {
    return this.#inTurn("read", into.length, () => super.read(at, into));
  }

  override write(at: number, from: IoVector): Promise<void> {
    return this.#inTurn("write", from.length, () => super.write(at, from));
  }

  override writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    return this.#inTurn("write", length, () => super.writeZeroes(at, length, how));
  }

  override discard(at: number, length: number): Promise<void> {
    return this.#inTurn("write", length, () => super.discard(at, length));
  }

  writeCompressed(at: number, from: IoVector): Promise<void> {
    return this.#inTurn("write", from.length, () => this.filtered.writeCompressed(at, from));
  }

  /** Whoever drains does not wait for anybody's turn. */
  suspend(): void {
    this.#member.suspend();
  }

  resume(): void {
    this.#member.resume();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.#groups.leave(this.#member);
    await super[Symbol.asyncDispose]();
  }

  #inTurn(direction: Direction, length: number, work: () => Promise<void>): Promise<void> {
    const turn = this.#member.enter(direction, length);
    return turn === undefined ? work() : turn.then(work);
  }
}

function checkedGroup(groups: ThrottleGroups | undefined, name: unknown): string {
  if (typeof name === "string" && groups?.exists(name) === true) return name;
  throw new BlockError({ kind: "option", option: "throttle-group", text: `Throttle group '${name}' does not exist` });
}

/** The `throttle` filter. */
export const throttle: DriverDefinition<BlockdevOptionsThrottle> = {
  name: "throttle",
  kind: "filter",
  overFile: true,
  async open(options, context) {
    const group = options["throttle-group"];
    const below = await context.openChild("file", options.file);
    if (group === undefined) {
      throw new BlockError({ kind: "option", option: "throttle-group", text: "Please specify a throttle group" });
    }
    const { throttleGroups } = context;
    return new ThrottleDriver(below, throttleGroups!, checkedGroup(throttleGroups, group));
  },
};
