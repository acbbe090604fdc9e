/**
 * What a client sends: an object that names a command.
 *
 * Source: docs/interop/qmp-spec, "Issuing Commands".
 *
 * @module
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../../base/json/mod.ts";
import { MonitorError } from "../errors.ts";

/** A request that is whole. */
export interface QmpRequest {
  readonly command: string;
  readonly data: JsonObject;
  /** It may overtake others. */
  readonly outOfBand: boolean;
}

/** What the client wants its answer to be marked with; `undefined` for nothing. */
export function requestId(value: JsonValue): JsonValue | undefined {
  return isJsonObject(value) ? value["id"] : undefined;
}

/**
 * Checks a request; `order` is that in which QEMU looks at the members.
 *
 * @throws {MonitorError} `QMP input must be a JSON object`, `QMP input lacks member 'execute'`, ...
 */
export function checkRequest(
  value: JsonValue,
  how: { readonly outOfBand: boolean; readonly order: (keys: readonly string[]) => string[] },
): QmpRequest {
  if (!isJsonObject(value)) throw new MonitorError("QMP input must be a JSON object");
  let verb: string | undefined;
  for (const name of how.order(Object.keys(value))) {
    const member = value[name]!;
    if (name === "execute" || (name === "exec-oob" && how.outOfBand)) {
      if (typeof member !== "string") throw new MonitorError(`QMP input member '${name}' must be a string`);
      if (verb !== undefined) throw new MonitorError(`QMP input member '${name}' clashes with '${verb}'`);
      verb = name;
    } else if (name === "arguments") {
      if (!isJsonObject(member)) throw new MonitorError("QMP input member 'arguments' must be an object");
    } else if (name !== "id") throw new MonitorError(`QMP input member '${name}' is unexpected`);
  }
  if (verb === undefined) throw new MonitorError("QMP input lacks member 'execute'");
  const data = value["arguments"];
  return {
    command: value[verb] as string,
    data: data === undefined ? {} : data as JsonObject,
    outOfBand: verb === "exec-oob",
  };
}
