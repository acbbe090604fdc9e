/**
 * `iothread`: an object with an id and QEMU's properties, for devices and exports that name one.
 *
 * There is one event loop here, and all requests stay in it: the object changes nothing about where they run. It exists
 * so that command lines and management programs work unchanged; its properties are kept and told.
 *
 * Source: qapi/qom.json, IothreadProperties; the texts are QEMU 7.2's.
 *
 * @module
 */
import { BlockError } from "../errors.ts";
import type { ObjectType, PropertyValue, UserObject } from "./types.ts";

const DEFAULTS: Readonly<Record<string, number>> = {
  "thread-pool-min": 0,
  "aio-max-batch": 0,
  "thread-pool-max": 64,
  "poll-max-ns": 32768,
  "poll-grow": 0,
  "poll-shrink": 0,
};
const MAX_POOL = 2 ** 31 - 1;

/** An iothread as it was asked for. */
export class IoThread implements UserObject {
  readonly type = "iothread";
  readonly id: string;
  #values: Readonly<Record<string, number>>;

  constructor(id: string, values: Readonly<Record<string, number>>) {
    this.id = id;
    this.#values = checked(values);
  }

  get(name: string): PropertyValue | undefined {
    return this.#values[name];
  }

  /** One of QEMU's numbers. */
  number(name: "poll-max-ns" | "poll-grow" | "poll-shrink" | "aio-max-batch"): number {
    return this.#values[name]!;
  }

  set(name: string, value: PropertyValue): void {
    this.#values = checked({ ...this.#values, [name]: value as number });
  }
}

function checked(values: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  for (const [name, value] of Object.entries(values)) {
    if (value < 0) throw refusal(name, `${name} value must be in range [0, 9223372036854775807]`);
  }
  const { "thread-pool-min": least = 0, "thread-pool-max": most = 0 } = values;
  if (least > most || most === 0 || most > MAX_POOL) {
    throw refusal("thread-pool-max", "bad thread-pool-min/thread-pool-max values");
  }
  return values;
}

function refusal(option: string, text: string): BlockError {
  return new BlockError({ kind: "option", option, text });
}

/** The type's row. */
export const iothreadType: ObjectType = {
  name: "iothread",
  parent: "event-loop-base",
  properties: Object.fromEntries(
    ["aio-max-batch", "thread-pool-min", "thread-pool-max", "poll-max-ns", "poll-grow", "poll-shrink"]
      .map((name) => [name, { type: "int" }]),
  ),
  listed: Object.keys(DEFAULTS).map((name) => ({ name, type: "int" })),
  make: (id, properties) => new IoThread(id, { ...DEFAULTS, ...(properties as Readonly<Record<string, number>>) }),
};
