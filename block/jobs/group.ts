/**
 * Jobs that end together: all wait for the last, and where one fails or is cancelled, all are. A job by itself is a group
 * of one.
 *
 * Source: qapi/transaction.json, ActionCompletionMode; order as the real program has it, the newest first.
 *
 * @module
 */
import type { JobStatus } from "./states.ts";

/** A job as its group sees it. */
export interface GroupMember {
  readonly status: JobStatus;
  readonly autoFinalize: boolean;
  /** Resolves when no step is made any more; never rejects. */
  readonly workEnded: Promise<void>;
  /** All have done their work. */
  becamePending(): void;
  /** The last thing that may fail. @throws what fails */
  prepareEnd(): Promise<void>;
  endWell(): Promise<void>;
  /** The work has failed, or was stopped. */
  endBadly(): Promise<void>;
  /** Somebody else has failed. */
  stopWork(): void;
}

/** Some jobs that end together. */
export class JobGroup {
  readonly #members: GroupMember[] = [];
  #ending: Promise<void> | undefined;

  /** It is over in a moment, and cannot be stopped any more. */
  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  join(member: GroupMember): void {
    this.#members.unshift(member);
  }

  leave(member: GroupMember): void {
    this.#members.splice(this.#members.indexOf(member), 1);
  }

  /** One of them has done its work, and waits. */
  async workDone(): Promise<void> {
    if (this.isEnding || !this.#members.every(({ status }) => status === "waiting")) return;
    for (const member of this.#members) member.becamePending();
    if (this.#members.every(({ autoFinalize }) => autoFinalize)) await this.finalize();
  }

  /** The user lets them end, or nobody has to. */
  finalize(): Promise<void> {
    return this.#ending ??= this.#finish();
  }

  /** One of them has failed or was cancelled. */
  abort(): Promise<void> {
    return this.#ending ??= this.#undo();
  }

  async #finish(): Promise<void> {
    try {
      for (const member of this.#members) await member.prepareEnd();
    } catch {
      // Whose error it is knows it.
      return await this.#undo();
    }
    for (const member of this.#members) await member.endWell();
  }

  async #undo(): Promise<void> {
    for (const member of this.#members) member.stopWork();
    for (const member of this.#members) {
      await member.workEnded;
      await member.endBadly();
    }
  }
}
