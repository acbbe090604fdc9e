/**
 * What a device does with a request that failed: werror and rerror.
 *
 * @module
 */

/** `enospc`: stop where space has run out, else report. */
export type WriteErrorPolicy = "report" | "ignore" | "stop" | "enospc";
export type ReadErrorPolicy = "report" | "ignore" | "stop";

/** What the device does now. */
export type ErrorAction = "report" | "ignore" | "stop";

/** The action for an error under a policy. */
export function errorAction(policy: WriteErrorPolicy | ReadErrorPolicy, noSpace: boolean): ErrorAction {
  if (policy !== "enospc") return policy;
  return noSpace ? "stop" : "report";
}
