/**
 * One counter of the 8254: modes 0 to 5 in binary and BCD, gate, latches.
 *
 * Nothing counts here: what a counter would show is computed from the time that has gone by since it was loaded.
 *
 * Source: [8254] "Mode Definitions", "Read Operations", "Write Operations".
 *
 * @module
 */
import { nsAtTick, ticksIn } from "./ticks.ts";

/** The oscillator of a PC's timer, in Hz. */
export const PIT_HZ = 1_193_182;

/** A counter's whole state. */
export interface PitCounterState {
  /** 0 to 5. */
  mode: number;
  bcd: boolean;
  /** 1: low byte, 2: high byte, 3: low, then high. */
  access: number;
  gate: 0 | 1;
  /** Ticks of one round, 1 to 65536 (10000 in BCD). */
  initial: number;
  /** Whether a count has been written since the control word. */
  loaded: boolean;
  /** When counting began. */
  startNs: number;
  /** Ticks that had gone by when the gate closed; `null` while it counts. */
  heldTicks: number | null;
  /** In modes 1 and 5: whether a trigger has come since the count was written. */
  triggered: boolean;
  latchedCount: number | null;
  latchedStatus: number | null;
  highByteNextRead: boolean;
  lowByteWritten: number | null;
}

/** One of the three. */
export class PitCounter {
  state: PitCounterState;

  constructor(gate: 0 | 1) {
    this.state = {
      mode: 3,
      bcd: false,
      access: 0,
      gate,
      initial: 0x1_0000,
      loaded: true,
      startNs: 0,
      heldTicks: null,
      triggered: false,
      latchedCount: null,
      latchedStatus: null,
      highByteNextRead: false,
      lowByteWritten: null,
    };
  }

  /** A control word for this counter, or a latch command. */
  control(value: number, nowNs: number): void {
    const state = this.state;
    const access = (value >> 4) & 3;
    if (access === 0) return this.latchCount(nowNs);
    const mode = (value >> 1) & 7;
    state.access = access;
    state.mode = mode > 5 ? mode - 4 : mode;
    state.bcd = (value & 1) !== 0;
    state.loaded = false;
    state.triggered = false;
    state.heldTicks = null;
    state.latchedCount = null;
    state.latchedStatus = null;
    state.highByteNextRead = false;
    state.lowByteWritten = null;
  }

  latchCount(nowNs: number): void {
    this.state.latchedCount ??= this.count(nowNs);
  }

  latchStatus(nowNs: number): void {
    const { mode, bcd, access, loaded } = this.state;
    this.state.latchedStatus ??= (this.output(nowNs) << 7) | (loaded ? 0 : 0x40) | (access << 4) | (mode << 1) |
      (bcd ? 1 : 0);
  }

  read(nowNs: number): number {
    const state = this.state;
    if (state.latchedStatus !== null) {
      const status = state.latchedStatus;
      state.latchedStatus = null;
      return status;
    }
    const count = state.latchedCount ?? this.count(nowNs);
    const high = state.access === 2 || (state.access === 3 && state.highByteNextRead);
    if (state.access === 3) state.highByteNextRead = !state.highByteNextRead;
    if (state.access !== 3 || high) state.latchedCount = null;
    return high ? count >> 8 : count & 0xff;
  }

  write(value: number, nowNs: number): void {
    const state = this.state;
    if (state.access === 3 && state.lowByteWritten === null) {
      state.lowByteWritten = value;
      // The first byte stops mode 0 at once.
      if (state.mode === 0) state.loaded = false;
      return;
    }
    const word = state.access === 2 ? value << 8 : state.access === 3 ? (value << 8) | state.lowByteWritten! : value;
    state.lowByteWritten = null;
    this.#load(word, nowNs);
  }

  setGate(level: 0 | 1, nowNs: number): void {
    const state = this.state;
    if (state.gate === level) return;
    if (level === 0) {
      if (state.mode === 0 || state.mode === 4) state.heldTicks = this.#ticks(nowNs);
      if (state.mode === 2 || state.mode === 3) state.heldTicks = 0;
    } else if (state.mode === 0 || state.mode === 4) {
      state.startNs = nowNs - nsAtTick(state.heldTicks ?? 0, PIT_HZ);
      state.heldTicks = null;
    } else {
      state.startNs = nowNs;
      state.heldTicks = null;
      state.triggered = true;
    }
    state.gate = level;
  }

  /** What the counter shows, in BCD where it counts so. */
  count(nowNs: number): number {
    const { mode, initial, bcd } = this.state;
    const modulus = bcd ? 10_000 : 0x1_0000;
    const ticks = this.#ticks(nowNs);
    let value: number;
    if (mode === 2) value = initial - ticks % initial;
    else if (mode === 3) value = initial - (2 * ticks) % initial;
    else value = initial - ticks % modulus + modulus;
    value %= modulus;
    return bcd ? toBcd(value) : value;
  }

  /** The level of OUT. */
  output(nowNs: number): 0 | 1 {
    const { mode, initial, loaded, gate, triggered } = this.state;
    if (!loaded) return mode === 0 ? 0 : 1;
    const ticks = this.#ticks(nowNs);
    switch (mode) {
      case 0:
        return ticks >= initial ? 1 : 0;
      case 1:
        return triggered && ticks < initial ? 0 : 1;
      case 2:
        return gate === 0 || ticks % initial !== initial - 1 ? 1 : 0;
      case 3:
        return gate === 0 || ticks % initial < (initial + 1) >> 1 ? 1 : 0;
      default:
        return (mode === 4 || triggered) && ticks === initial ? 0 : 1;
    }
  }

  /** When OUT changes next; `undefined` where it stays. */
  nextChangeNs(nowNs: number): number | undefined {
    const { mode, initial, loaded, heldTicks, triggered, startNs } = this.state;
    if (!loaded || heldTicks !== null) return undefined;
    if ((mode === 1 || mode === 5) && !triggered) return undefined;
    const ticks = this.#ticks(nowNs);
    const round = ticks - ticks % initial;
    const turns = mode === 2
      ? [round + initial - 1, round + initial, round + 2 * initial - 1]
      : mode === 3
      ? [round + ((initial + 1) >> 1), round + initial]
      : mode >= 4
      ? [initial, initial + 1]
      : [initial];
    const next = turns.find((turn) => turn > ticks);
    return next === undefined ? undefined : startNs + nsAtTick(next, PIT_HZ);
  }

  #load(word: number, nowNs: number): void {
    const state = this.state;
    state.initial = state.bcd ? fromBcd(word) || 10_000 : word || 0x1_0000;
    const running = state.loaded && (state.mode === 1 || state.mode === 5);
    state.loaded = true;
    // A one-shot waits for its trigger; one that runs goes on with its old count to the end.
    if (running && state.triggered) return;
    state.startNs = nowNs;
    state.heldTicks = state.gate === 0 || state.mode === 1 || state.mode === 5 ? 0 : null;
  }

  #ticks(nowNs: number): number {
    const { heldTicks, startNs, loaded } = this.state;
    if (!loaded) return 0;
    return heldTicks ?? ticksIn(Math.max(0, nowNs - startNs), PIT_HZ);
  }
}

function fromBcd(word: number): number {
  return (word >> 12) * 1000 + ((word >> 8) & 15) * 100 + ((word >> 4) & 15) * 10 + (word & 15);
}

function toBcd(value: number): number {
  return Math.floor(value / 1000) << 12 | (Math.floor(value / 100) % 10) << 8 | (Math.floor(value / 10) % 10) << 4 |
    value % 10;
}
