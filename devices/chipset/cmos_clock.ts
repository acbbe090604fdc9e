/**
 * The calendar of the real-time clock: seconds since 1970 to the ten time registers and back, in BCD or binary, 12 or
 * 24 hours.
 *
 * Source: [MC146818A] "Time, Calendar, and Alarm Locations", table 2.
 *
 * @module
 */

/** Offsets of the time registers. */
export const TimeRegister = {
  Seconds: 0x00,
  SecondsAlarm: 0x01,
  Minutes: 0x02,
  MinutesAlarm: 0x03,
  Hours: 0x04,
  HoursAlarm: 0x05,
  DayOfWeek: 0x06,
  DayOfMonth: 0x07,
  Month: 0x08,
  Year: 0x09,
  Century: 0x32,
} as const;

/** How registers are written. */
export interface TimeFormat {
  readonly binary: boolean;
  readonly hours24: boolean;
  /** What the year register counts from: 0, or 1980 on some machines. */
  readonly baseYear: number;
}

const PM = 0x80;

/** Puts the time `secondsSince1970` into `cmos`. */
export function storeTime(cmos: Uint8Array, secondsSince1970: number, format: TimeFormat): void {
  const date = new Date(secondsSince1970 * 1000);
  const year = date.getUTCFullYear() - format.baseYear;
  cmos[TimeRegister.Seconds] = encode(date.getUTCSeconds(), format);
  cmos[TimeRegister.Minutes] = encode(date.getUTCMinutes(), format);
  cmos[TimeRegister.Hours] = encodeHours(date.getUTCHours(), format);
  cmos[TimeRegister.DayOfWeek] = encode(date.getUTCDay() + 1, format);
  cmos[TimeRegister.DayOfMonth] = encode(date.getUTCDate(), format);
  cmos[TimeRegister.Month] = encode(date.getUTCMonth() + 1, format);
  cmos[TimeRegister.Year] = encode(year % 100, format);
  cmos[TimeRegister.Century] = encode(Math.floor(year / 100), format);
}

/** The time in `cmos`, in seconds since 1970; days and months that do not exist run over into the next. */
export function loadTime(cmos: Uint8Array, format: TimeFormat): number {
  const at = (register: number) => decode(cmos[register]!, format);
  const year = at(TimeRegister.Century) * 100 + at(TimeRegister.Year) + format.baseYear;
  const date = new Date(0);
  date.setUTCFullYear(year, at(TimeRegister.Month) - 1, at(TimeRegister.DayOfMonth));
  date.setUTCHours(
    decodeHours(cmos[TimeRegister.Hours]!, format),
    at(TimeRegister.Minutes),
    at(TimeRegister.Seconds),
  );
  return Math.floor(date.getTime() / 1000);
}

/** Seconds from `secondsSince1970` (exclusive) to the next second that the alarm registers name; at most a day. */
export function secondsToAlarm(cmos: Uint8Array, secondsSince1970: number, format: TimeFormat): number {
  const wants = (register: number, decoded: number) => {
    const value = cmos[register]!;
    // Two ones at the top: any value will do.
    return (value & 0xc0) === 0xc0 ? undefined : decoded;
  };
  const second = wants(TimeRegister.SecondsAlarm, decode(cmos[TimeRegister.SecondsAlarm]!, format));
  const minute = wants(TimeRegister.MinutesAlarm, decode(cmos[TimeRegister.MinutesAlarm]!, format));
  const hour = wants(TimeRegister.HoursAlarm, decodeHours(cmos[TimeRegister.HoursAlarm]!, format));
  const matches = (time: number) =>
    (second ?? time % 60) === time % 60 &&
    (minute ?? Math.floor(time / 60) % 60) === Math.floor(time / 60) % 60 &&
    (hour ?? Math.floor(time / 3600) % 24) === Math.floor(time / 3600) % 24;
  for (let ahead = 1; ahead <= 86_400;) {
    const time = secondsSince1970 + ahead;
    if (matches(time)) return ahead;
    // A whole hour or minute that cannot match is passed over at once.
    if (hour !== undefined && Math.floor(time / 3600) % 24 !== hour) ahead += 3600 - time % 3600;
    else if (minute !== undefined && Math.floor(time / 60) % 60 !== minute) ahead += 60 - time % 60;
    else ahead++;
  }
  return Infinity;
}

function encode(value: number, { binary }: TimeFormat): number {
  return binary ? value & 0xff : (Math.floor(value / 10) << 4 | value % 10) & 0xff;
}

function decode(value: number, { binary }: TimeFormat): number {
  return binary ? value : (value >> 4) * 10 + (value & 15);
}

function encodeHours(hours: number, format: TimeFormat): number {
  if (format.hours24) return encode(hours, format);
  return encode(hours % 12 === 0 ? 12 : hours % 12, format) | (hours >= 12 ? PM : 0);
}

function decodeHours(value: number, format: TimeFormat): number {
  if (format.hours24) return decode(value, format);
  return decode(value & ~PM, format) % 12 + ((value & PM) !== 0 ? 12 : 0);
}
