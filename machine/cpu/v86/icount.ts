/**
 * Virtual time by instructions: `-icount shift=N,sleep=on|off`.
 *
 * One instruction takes 2^N ns. With `sleep=off` a guest that waits finds itself at its next timer at once; so virtual
 * time depends on nothing but the guest. With `sleep=on` it waits as long as the clock on the wall says.
 *
 * @module
 */

/** What `-icount` says. */
export interface InstructionClock {
  /** 0 to 10. */
  readonly shift: number;
  readonly sleep: boolean;
}

/** Counts a 32-bit counter on. */
export class InstructionCounter {
  readonly #nsPerInstruction: number;
  readonly #read: () => number;
  readonly sleeps: boolean;
  #last: number;
  #total = 0;

  /** @param read the counter, modulo 2^32; it must be looked at before it has gone round */
  constructor({ shift, sleep }: InstructionClock, read: () => number) {
    this.#nsPerInstruction = 2 ** shift;
    this.sleeps = sleep;
    this.#read = read;
    this.#last = read();
  }

  /** All instructions so far. */
  get total(): number {
    const now = this.#read();
    this.#total += (now - this.#last) >>> 0;
    this.#last = now;
    return this.#total;
  }

  /** Runs `work`, which sets the counter: that is no time. */
  across(work: () => void): void {
    void this.total;
    work();
    this.#last = this.#read();
  }

  nowNs(): number {
    return this.total * this.#nsPerInstruction;
  }
}

/** Time of the host that a guest has slept through: it counts as well, also while it goes on. */
export class SleptTime {
  readonly #realtimeNs: () => number;
  #totalNs = 0;
  #fromNs: number | undefined;
  #longestNs = 0;

  constructor(realtimeNs: () => number) {
    this.#realtimeNs = realtimeNs;
  }

  get totalNs(): number {
    if (this.#fromNs === undefined) return this.#totalNs;
    const nowNs = this.#realtimeNs() - this.#fromNs;
    return this.#totalNs + Math.max(0, Math.min(nowNs, this.#longestNs));
  }

  /** The guest sleeps from now on, `longestNs` at most. */
  begin(longestNs: number): void {
    this.end();
    this.#fromNs = this.#realtimeNs();
    this.#longestNs = longestNs;
  }

  /** It is awake. */
  end(): void {
    this.#totalNs = this.totalNs;
    this.#fromNs = undefined;
  }

  /** It has slept as long as it wanted, whatever the host's clock says. */
  endWhole(): void {
    if (this.#fromNs !== undefined) this.#totalNs += this.#longestNs;
    this.#fromNs = undefined;
  }
}
