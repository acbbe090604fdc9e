/**
 * Requests that `aio_read` and `aio_write` left running, and what they say when they end.
 *
 * qemu-io hears of them only while it waits for something itself; so texts are kept until somebody listens.
 *
 * @module
 */

/** What runs in the background of one tool, or of one machine's monitor. */
export class IoBackground {
  readonly #outstanding = new Set<Promise<void>>();
  #listener: ((text: string) => void) | undefined;
  #kept: string[] = [];
  /** Takes what is heard at once: the output of the command that runs, or ran last. */
  speaker: ((text: string) => void) | undefined;

  /** How many have not ended. */
  get count(): number {
    return this.#outstanding.size;
  }

  /** Leaves `work` running; it handles its own failures. */
  start(work: Promise<unknown>): void {
    const running: Promise<void> = work.then(() => {}).finally(() => void this.#outstanding.delete(running));
    this.#outstanding.add(running);
  }

  /** Says something for a request, now or when somebody listens. */
  say(text: string): void {
    if (this.#listener === undefined) this.#kept.push(text);
    else this.#listener(text);
  }

  /** Says something that does not wait for a listener, unless nobody is there at all. */
  announce(text: string): void {
    if (this.speaker === undefined) this.say(text);
    else this.speaker(text);
  }

  /** From now on texts go to `listener`, what was kept first; with `undefined` they are kept. */
  listen(listener: ((text: string) => void) | undefined): void {
    this.#listener = listener;
    if (listener !== undefined) { for (const text of this.#kept.splice(0)) listener(text); }
  }

  /** Resolves when all have ended, those too that begin meanwhile. */
  async settled(): Promise<void> {
    while (this.#outstanding.size > 0) await Promise.all(this.#outstanding);
  }

  /** Resolves when one of those that run now has ended. */
  async one(): Promise<void> {
    await Promise.race(this.#outstanding);
  }
}
