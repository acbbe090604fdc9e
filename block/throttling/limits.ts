/**
 * The limits of a throttle group: six rates, each with a burst, as QEMU names and checks them.
 *
 * Source: qapi/block-core.json, ThrottleLimits; docs/throttle.
 *
 * @module
 */
import { optionError } from "../options/tree.ts";

/** The rates. Bytes a second, and requests a second. */
export const RATES = ["bps-total", "bps-read", "bps-write", "iops-total", "iops-read", "iops-write"] as const;
export type RateName = typeof RATES[number];

/** One rate: what may pass on average, and how a burst may exceed it. */
export interface RateLimit {
  /** A second; 0 for no limit. */
  readonly average: number;
  /** A second, for {@link burstSeconds}; 0 for no bursts. */
  readonly maximum: number;
  readonly burstSeconds: number;
}

/** All of a group's limits. */
export type ThrottleLimits = Readonly<Record<RateName, RateLimit>> & {
  /** Bytes; a longer request counts as several. 0: each counts as one. */
  readonly "iops-size": number;
};

const NO_LIMIT: RateLimit = { average: 0, maximum: 0, burstSeconds: 1 };

/** Nothing is limited. */
export const NO_LIMITS: ThrottleLimits = {
  "bps-total": NO_LIMIT,
  "bps-read": NO_LIMIT,
  "bps-write": NO_LIMIT,
  "iops-total": NO_LIMIT,
  "iops-read": NO_LIMIT,
  "iops-write": NO_LIMIT,
  "iops-size": 0,
};

/** The name of a member of QEMU's ThrottleLimits. */
export type LimitName = RateName | `${RateName}-max` | `${RateName}-max-length` | "iops-size";

/** The names of all members of QEMU's ThrottleLimits: `bps-total`, `bps-total-max`, `bps-total-max-length`, ... */
export const LIMIT_NAMES: readonly LimitName[] = [
  ...RATES.flatMap((rate) => [rate, `${rate}-max`, `${rate}-max-length`] as const),
  "iops-size",
];

/** Limits from numbers by QEMU's names; what is left out stays as in `before`. @throws {BlockError} `option` */
export function limitsOf(
  given: Readonly<Record<string, number>>,
  before: ThrottleLimits = NO_LIMITS,
): ThrottleLimits {
  const rates = RATES.map((rate) => [rate, {
    average: given[rate] ?? before[rate].average,
    maximum: given[`${rate}-max`] ?? before[rate].maximum,
    burstSeconds: given[`${rate}-max-length`] ?? before[rate].burstSeconds,
  }]);
  const limits = { ...Object.fromEntries(rates), "iops-size": given["iops-size"] ?? before["iops-size"] };
  checkLimits(limits as ThrottleLimits);
  return limits as ThrottleLimits;
}

/** All limits as numbers by QEMU's names. */
export function limitNumbers(limits: ThrottleLimits): Readonly<Record<string, number>> {
  const numbers: Record<string, number> = {};
  for (const rate of RATES) {
    numbers[rate] = limits[rate].average;
    numbers[`${rate}-max`] = limits[rate].maximum;
    numbers[`${rate}-max-length`] = limits[rate].burstSeconds;
  }
  numbers["iops-size"] = limits["iops-size"];
  return numbers;
}

/** Whether anything is limited. */
export function limitsAnything(limits: ThrottleLimits): boolean {
  return RATES.some((rate) => limits[rate].average > 0);
}

const MOST = 1e15;

function checkLimits(limits: ThrottleLimits): void {
  for (const unit of ["bps", "iops"] as const) {
    const total = limits[`${unit}-total`];
    const parts = [limits[`${unit}-read`], limits[`${unit}-write`]];
    const both = (key: "average" | "maximum") => total[key] !== 0 && parts.some((part) => part[key] !== 0);
    if (both("average") || both("maximum")) {
      throw optionError("bps/iops/max total values and read/write values cannot be used at the same time");
    }
  }
  if (limits["iops-size"] !== 0 && !["iops-total", "iops-read", "iops-write"].some((one) => has(limits, one))) {
    throw optionError("iops size requires an iops value to be set");
  }
  for (const rate of RATES) checkRate(limits[rate]);
}

function has(limits: ThrottleLimits, rate: string): boolean {
  return limits[rate as RateName].average !== 0;
}

function checkRate({ average, maximum, burstSeconds }: RateLimit): void {
  if (![average, maximum].every((value) => value >= 0 && value <= MOST)) {
    throw optionError(`bps/iops/max values must be within [0, ${MOST}]`);
  }
  if (burstSeconds === 0) throw optionError("the burst length cannot be 0");
  if (burstSeconds > 1 && maximum === 0) throw optionError("burst length set without burst rate");
  if (maximum !== 0 && burstSeconds > MOST / maximum) throw optionError("burst length too high for this burst rate");
  if (maximum !== 0 && average === 0) {
    throw optionError("bps_max/iops_max require corresponding bps/iops values");
  }
  if (maximum !== 0 && maximum < average) throw optionError("bps_max/iops_max cannot be lower than bps/iops");
}
