/**
 * Trace events under QEMU's names (`ide_exec_cmd`, `blk_co_preadv`): what `trace-event` switches and `info trace-events`
 * lists.
 *
 * A {@link TraceEvents} belongs to one machine. Code that emits asks `event.enabled` first where building the fields
 * would cost anything.
 *
 * @module
 */

/** One kind of event. `Fields` is what it carries. */
export class TraceEvent<Fields extends object> {
  enabled = false;
  readonly name: string;
  readonly #format: (fields: Fields) => string;
  readonly #owner: TraceEvents;

  constructor(owner: TraceEvents, name: string, format: (fields: Fields) => string) {
    this.#owner = owner;
    this.name = name;
    this.#format = format;
  }

  /** Hands the event to the sink if it is switched on. */
  emit(fields: Fields): void {
    if (this.enabled) this.#owner.sink(`${this.name} ${this.#format(fields)}`);
  }
}

/** All events of one machine. */
export class TraceEvents {
  readonly #events = new Map<string, TraceEvent<never>>();
  readonly #wanted: { pattern: string; enabled: boolean }[] = [];
  /** Takes each line, without a newline; the monitor's `logfile` points it elsewhere. */
  sink: (line: string) => void = () => {};

  /** Declares an event, or finds it: the same kind may be declared by every device that emits it. */
  declare<Fields extends object>(name: string, format: (fields: Fields) => string): TraceEvent<Fields> {
    const known = this.#events.get(name);
    if (known !== undefined) return known as unknown as TraceEvent<Fields>;
    const event = new TraceEvent<Fields>(this, name, format);
    for (const { pattern, enabled } of this.#wanted) if (matches(pattern, name)) event.enabled = enabled;
    this.#events.set(name, event as unknown as TraceEvent<never>);
    return event;
  }

  /** Switches all events that `pattern` names (`*` and `?` as in QEMU's); says how many there are. */
  set(pattern: string, enabled: boolean): number {
    this.#wanted.push({ pattern, enabled });
    const found = this.list(pattern);
    for (const event of found) event.enabled = enabled;
    return found.length;
  }

  /** The events that `pattern` names, in order of declaration. */
  list(pattern = "*"): { readonly name: string; enabled: boolean }[] {
    return [...this.#events.values()].filter((event) => matches(pattern, event.name));
  }
}

function matches(pattern: string, name: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(name);
}
