/** I/O limits as drives name them: `bps_rd_max_length`. Source: qapi/block-core.json, BlockIOThrottle. @module */
import type { BlockBackend, RateName, ThrottleLimits } from "../../../block/mod.ts";

/** Our name of each of the protocol's: `bps_rd_max` is `bps-read-max`. */
const PARTS = [["", "total"], ["_rd", "read"], ["_wr", "write"]] as const;

const RATE_NAMES: readonly (readonly [old: string, rate: RateName])[] = (["bps", "iops"] as const)
  .flatMap((unit) => PARTS.map(([old, part]) => [`${unit}${old}`, `${unit}-${part}`] as const));

/** The numbers of a request under the names of limits. */
export function limitNumbers(values: Readonly<Record<string, unknown>>): Record<string, number> {
  const given: Record<string, number> = {};
  const take = (old: string, name: string) => {
    const value = values[old];
    if (typeof value === "number") given[name] = value;
  };
  for (const [old, rate] of RATE_NAMES) {
    take(old, rate);
    take(`${old}_max`, `${rate}-max`);
    take(`${old}_max_length`, `${rate}-max-length`);
  }
  take("iops_size", "iops-size");
  return given;
}

/** What `query-block` tells of limits: averages always, bursts where there are any. */
export function limitMembers(throttling: BlockBackend["throttling"]): Readonly<Record<string, number | string>> {
  if (throttling === undefined) return {};
  const { group, limits } = throttling;
  return { ...rateMembers(limits), ...(limits["iops-size"] > 0 ? { iops_size: limits["iops-size"] } : {}), group };
}

function rateMembers(limits: ThrottleLimits): Record<string, number> {
  const members: Record<string, number> = {};
  for (const [old, rate] of RATE_NAMES) {
    const { average, maximum, burstSeconds } = limits[rate];
    members[old] = average;
    if (maximum === 0) continue;
    members[`${old}_max`] = maximum;
    members[`${old}_max_length`] = burstSeconds;
  }
  return members;
}
