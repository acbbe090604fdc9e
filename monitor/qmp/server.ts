/**
 * The protocol's side of one machine: its clients, and the events that all of them hear.
 *
 * @module
 */
import { type JsonObject, JsonWriter } from "../../base/json/mod.ts";
import type { Clock } from "../../base/clocks.ts";
import { NS_PER_S } from "../../base/units.ts";
import { present } from "../schema/qapi/present.ts";
import { PACKAGE_VERSION, QEMU_VERSION } from "../version.ts";
import type { MachineQmpContext } from "./context.ts";
import { EventRates } from "./event_rates.ts";
import { type ClientOptions, QmpSession, type SessionSite } from "./session.ts";

/** How long a client that takes no answers may hold up the end. */
const FAREWELL_MS = 500;

/** What a server is put over. */
export interface QmpSite {
  /** All that commands get, but for what belongs to a session. */
  readonly context: Omit<MachineQmpContext, "session">;
  /** Runs `work` when no other command runs. */
  exclusive<T>(work: () => Promise<T> | T): Promise<T>;
  /** The host's time in nanoseconds since 1970. */
  nowNs(): number;
  /** What events are held back by. */
  readonly realtime: Clock;
}

/** All clients of one machine. */
export class QmpServer {
  readonly #site: QmpSite;
  readonly #writer = new JsonWriter();
  readonly #sessions = new Set<QmpSession>();
  readonly #rates: EventRates;

  constructor(site: QmpSite) {
    this.#site = site;
    this.#rates = new EventRates(site.realtime, (message) => {
      for (const session of this.#sessions) session.event(message);
    });
  }

  /** Somebody who talks; {@link end} when they have gone. */
  session(options: ClientOptions): QmpSession {
    const site: SessionSite = {
      writer: this.#writer,
      greeting: { QMP: { version: versionInfo(), capabilities: ["oob"] } },
      context: (state) => ({ ...this.#site.context, session: state }),
      exclusive: (work) => this.#site.exclusive(work),
    };
    const session = new QmpSession(site, options);
    this.#sessions.add(session);
    return session;
  }

  /** Runs a command for a script, whose data TypeScript has checked. @throws what the command throws */
  async execute(name: string, data: unknown): Promise<unknown> {
    const command = this.#site.context.registry.command(name);
    if (command === undefined) throw new TypeError(`no command ${name}`);
    const context = { ...this.#site.context, session: { negotiated: true, outOfBand: false } };
    const run = () => command.run(context, data);
    return (command.ownQueue === true ? await run() : await this.#site.exclusive(run)) ?? {};
  }

  /** Before the program ends: answers that are on their way get there, where somebody takes them. */
  async farewell(): Promise<void> {
    this.#rates.stop();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, FAREWELL_MS);
    await Promise.race([late, Promise.all([...this.#sessions].map((session) => session.settled()))]);
    clearTimeout(timer);
  }

  end(session: QmpSession): void {
    this.#sessions.delete(session);
  }

  /** Whether clients are told such events at all. */
  tells(name: string): boolean {
    return this.#site.context.registry.event(name) !== undefined;
  }

  /** Tells all clients. @throws where no such event is declared */
  emit(name: string, data: object): void {
    if (this.#sessions.size === 0) return;
    const event = this.#site.context.registry.event(name);
    if (event === undefined) throw new TypeError(`event ${name} is not declared`);
    const ns = this.#site.nowNs();
    const seconds = Math.floor(ns / NS_PER_S);
    const members = present(event.data, data) as JsonObject;
    const message: JsonObject = {
      event: name,
      ...(Object.keys(event.data.members).length === 0 ? {} : { data: members }),
      timestamp: { seconds, microseconds: Math.floor((ns - seconds * NS_PER_S) / 1000) },
    };
    this.#rates.emit(name, members, message);
  }
}

/** What the greeting and `query-version` say. */
export function versionInfo(): JsonObject & { qemu: { major: number; minor: number; micro: number }; package: string } {
  const { major, minor, micro } = QEMU_VERSION;
  return { qemu: { major, minor, micro }, package: PACKAGE_VERSION };
}
