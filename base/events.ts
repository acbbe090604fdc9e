/**
 * Typed synchronous events: a name, a payload, listeners in the order in which they came.
 *
 * @module
 */

/** Emits the events of `Map`, whose keys are names and whose values are payloads. */
export class Events<Map extends object> {
  readonly #listeners = new globalThis.Map<keyof Map, Set<(payload: never) => void>>();

  /** Calls `listener` at every `name`; the returned function ends that. */
  on<Name extends keyof Map>(name: Name, listener: (payload: Map[Name]) => void): () => void {
    let set = this.#listeners.get(name);
    if (set === undefined) this.#listeners.set(name, set = new Set());
    set.add(listener);
    return () => void set.delete(listener);
  }

  /** Whether anybody listens to `name`: asked before a payload is built on a hot path. */
  has(name: keyof Map): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  emit<Name extends keyof Map>(name: Name, payload: Map[Name]): void {
    const set = this.#listeners.get(name);
    if (set === undefined) return;
    for (const listener of [...set]) (listener as (payload: Map[Name]) => void)(payload);
  }
}
