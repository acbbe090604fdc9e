/**
 * One client of the protocol: greeting, capabilities, requests in order, events.
 *
 * Requests of a client are answered in the order in which they came, but for those that may overtake. Between clients
 * and prompts there is one queue.
 *
 * Source: docs/interop/qmp-spec.
 *
 * @module
 */
import { type JsonMessage, type JsonObject, JsonStream, type JsonValue, type JsonWriter } from "../../base/json/mod.ts";
import { explain, MonitorError } from "../errors.ts";
import { present } from "../schema/qapi/present.ts";
import { visit } from "../schema/qapi/visit.ts";
import { empty } from "../schema/qapi/types.ts";
import { ABSENT_QMP_COMMANDS } from "./absent.ts";
import type { MachineQmpContext, QmpSessionState } from "./context.ts";
import { checkRequest, type QmpRequest, requestId } from "./request.ts";

/** Requests that wait before the client is not listened to any more. */
const MAX_WAITING = 8;

/** What a session needs of its server. */
export interface SessionSite {
  readonly writer: JsonWriter;
  readonly greeting: JsonObject;
  /** What commands get, for a session with `state`. */
  context(state: QmpSessionState): MachineQmpContext;
  /** Runs `work` when no other command runs. */
  exclusive<T>(work: () => Promise<T> | T): Promise<T>;
}

/** How a client is talked to. */
export interface ClientOptions {
  /** Each message on many lines. */
  readonly pretty: boolean;
  readonly send: (line: string) => void;
  /** Resolves when all that was sent has been taken. */
  readonly drained?: () => Promise<void>;
}

/** A client that is there. Feed it what it sends; `send` gets what is for it, a line at a time. */
export class QmpSession {
  readonly state: QmpSessionState = { negotiated: false, outOfBand: false };
  readonly #site: SessionSite;
  readonly #context: MachineQmpContext;
  readonly #send: (line: string) => void;
  readonly #pretty: boolean;
  readonly #drained: () => Promise<void>;
  readonly #stream = new JsonStream((message) => this.#take(message));
  #waiting = 0;
  #queue: Promise<void> = Promise.resolve();
  /** What overtakes others keeps its own order. */
  #overtaking: Promise<void> = Promise.resolve();
  #hasRoom: (() => void) | undefined;

  constructor(site: SessionSite, options: ClientOptions) {
    this.#site = site;
    this.#drained = options.drained ?? (() => Promise.resolve());
    this.#send = options.send;
    this.#pretty = options.pretty;
    this.#context = site.context(this.state);
    this.#put(site.greeting);
  }

  /** Takes what the client sent. Resolves when it may send more. */
  async push(bytes: Uint8Array): Promise<void> {
    this.#stream.push(bytes);
    while (this.#waiting >= MAX_WAITING) await new Promise<void>((resolve) => this.#hasRoom = resolve);
  }

  /** Resolves when all that was asked so far has been answered, and the answers were taken. */
  async settled(): Promise<void> {
    await this.#queue;
    await this.#drained();
  }

  /** Tells the client of an event, once it has agreed on capabilities. */
  event(event: JsonObject): void {
    if (this.state.negotiated) this.#put(event);
  }

  #put(message: JsonObject): void {
    const text = this.#site.writer.format(message, this.#pretty);
    // As all monitors do, on every kind of channel; within strings a line's end is an escape.
    this.#send(`${this.#pretty ? text.replaceAll("\n", "\r\n") : text}\r\n`);
  }

  #take(message: JsonMessage): void {
    if ("error" in message) return this.#inOrder(() => Promise.resolve(failure(new MonitorError(message.error))));
    const id = requestId(message.value);
    const answer = (reply: JsonObject) => id === undefined ? reply : { ...reply, id };
    let request: QmpRequest;
    try {
      request = this.#check(message.value);
    } catch (error) {
      return this.#inOrder(() => Promise.resolve(answer(failure(error))));
    }
    if (request.outOfBand) {
      this.#overtaking = this.#overtaking.then(async () => this.#put(answer(await this.#execute(request))));
      return;
    }
    this.#inOrder(async () => answer(await this.#execute(request)));
  }

  #check(value: JsonValue): QmpRequest {
    return checkRequest(value, {
      outOfBand: this.state.outOfBand,
      order: (keys) => this.#site.writer.order(keys),
    });
  }

  #inOrder(work: () => Promise<JsonObject>): void {
    this.#waiting++;
    this.#queue = this.#queue.then(work).then((reply) => {
      this.#put(reply);
      this.#waiting--;
      this.#hasRoom?.();
    });
  }

  async #execute(request: QmpRequest): Promise<JsonObject> {
    try {
      const command = this.#find(request);
      const data = command.isUnchecked === true ? request.data : visit(command.data, request.data);
      const run = () => command.run(this.#context, data);
      const alone = !request.outOfBand && command.ownQueue !== true;
      const result = alone ? await this.#site.exclusive(run) : await run();
      return { return: present(command.returns ?? empty, result ?? {}) };
    } catch (error) {
      return failure(error);
    }
  }

  #find({ command: name, outOfBand }: QmpRequest) {
    const { negotiated } = this.state;
    const isNegotiation = name === "qmp_capabilities";
    if (!negotiated && !isNegotiation) {
      throw notFound("Expecting capabilities negotiation with 'qmp_capabilities'");
    }
    if (negotiated && isNegotiation) {
      throw notFound("Capabilities negotiation is already complete, command ignored");
    }
    const command = this.#context.registry.command(name);
    if (command === undefined) {
      const reason = ABSENT_QMP_COMMANDS.get(name);
      throw notFound(`The command ${name} has not been found${reason === undefined ? "" : `: ${reason}`}`);
    }
    if (outOfBand && command.outOfBand !== true) throw new MonitorError(`The command ${name} does not support OOB`);
    return command;
  }
}

function notFound(text: string): MonitorError {
  return new MonitorError(text, { class: "CommandNotFound" });
}

/** The reply to what failed. A bug in moa itself is rethrown. */
function failure(error: unknown): JsonObject {
  const { text } = explain(error);
  return { error: { class: error instanceof MonitorError ? error.errorClass : "GenericError", desc: text } };
}
