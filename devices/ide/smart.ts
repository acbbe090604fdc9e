/**
 * SMART: a disk's account of its own health. This one is always well; what a guest can change is whether SMART and its
 * autosave are on, and the log of self-tests.
 *
 * Source: [ATA-8 ACS] 7.52 "SMART"; [ATA/ATAPI-5] 8.41 with table 25 "Device SMART data structure".
 *
 * @module
 */

/** Subcommands in the features register. */
export const SmartCommand = {
  READ_DATA: 0xd0,
  READ_THRESHOLDS: 0xd1,
  ATTRIBUTE_AUTOSAVE: 0xd2,
  EXECUTE_OFFLINE: 0xd4,
  READ_LOG: 0xd5,
  ENABLE: 0xd8,
  DISABLE: 0xd9,
  RETURN_STATUS: 0xda,
} as const;

/** A command is a SMART command only with these in the middle and high LBA bytes. */
export const SMART_KEY = { mid: 0x4f, high: 0xc2 } as const;

interface Attribute {
  readonly id: number;
  readonly flags: number;
  readonly value: number;
  readonly raw: readonly number[];
  readonly threshold: number;
}

/** What the disk measures. */
const ATTRIBUTES: readonly Attribute[] = [
  { id: 0x01, flags: 3, value: 100, raw: [], threshold: 0x06 }, // Raw read error rate.
  { id: 0x03, flags: 3, value: 100, raw: [16], threshold: 0x00 }, // Spin-up time.
  { id: 0x04, flags: 2, value: 100, raw: [100], threshold: 0x14 }, // Start/stop count.
  { id: 0x05, flags: 3, value: 100, raw: [], threshold: 0x24 }, // Reallocated sectors.
  { id: 0x09, flags: 3, value: 100, raw: [1], threshold: 0x00 }, // Power-on hours.
  { id: 0x0c, flags: 3, value: 100, raw: [], threshold: 0x00 }, // Power cycles.
  { id: 0xbe, flags: 3, value: 69, raw: [31, 0, 31, 31], threshold: 0x32 }, // Air temperature, 31 degrees.
];

const LOG_ENTRIES = 21;
const LOG_ENTRY_BYTES = 24;
/** What the disk says of its age when a self-test ran, in hours. */
const LIFETIME_HOURS = 0x1234;

/** Whether the disk takes a subcommand while SMART is off. */
export function worksWhenOff(subcommand: number): boolean {
  return subcommand === SmartCommand.ENABLE;
}

/** The volatile part. */
export interface SmartState {
  enabled: boolean;
  autosave: boolean;
  /** The last self-test's outcome in bits 7 to 4. */
  selfTestStatus: number;
  /** Tests written to the log, 0 to 21; after 21 comes 1. */
  logIndex: number;
  log: Uint8Array;
}

export function initialSmart(): SmartState {
  return { enabled: true, autosave: true, selfTestStatus: 0, logIndex: 0, log: new Uint8Array(512) };
}

/** The device data structure. */
export function smartData(state: SmartState): Uint8Array {
  const page = new Uint8Array(512);
  page[0] = 1;
  ATTRIBUTES.forEach(({ id, flags, value, raw }, i) => {
    page.set([id, flags, 0, value, value, ...raw], 2 + 12 * i);
  });
  page[362] = 0x02 | (state.autosave ? 0x80 : 0); // Off-line collection ended well.
  page[363] = state.selfTestStatus;
  page[364] = 0x20; // Seconds that off-line collection takes: 288.
  page[365] = 0x01;
  page[367] = 0x19; // Off-line collection, self-tests.
  page[368] = 0x03; // Saves before a power-saving mode, and by itself.
  page[370] = 0x01; // Logs errors.
  page[372] = 0x02; // Minutes of a short and of a long self-test.
  page[373] = 0x36;
  page[374] = 0x01;
  return withChecksum(page);
}

/** The attribute thresholds. */
export function smartThresholds(): Uint8Array {
  const page = new Uint8Array(512);
  page[0] = 1;
  ATTRIBUTES.forEach(({ id, threshold }, i) => page.set([id, threshold], 2 + 12 * i));
  return withChecksum(page);
}

/** A log page; `undefined` for one that the disk does not keep. */
export function smartLog(address: number, state: SmartState): Uint8Array | undefined {
  if (address === 0x06) {
    const page = state.log.slice();
    page[0] = 1;
    page[508] = state.logIndex;
    return withChecksum(page);
  }
  if (address !== 0x01) return undefined;
  const page = new Uint8Array(512);
  page[0] = 1;
  return withChecksum(page);
}

/** Runs a self-test, which is over at once and finds nothing; says whether there is such a test. */
export function runSelfTest(state: SmartState, test: number): boolean {
  if (test > 2) return false; // Off-line collection, short, extended; no captive tests.
  state.logIndex = state.logIndex === LOG_ENTRIES ? 1 : state.logIndex + 1;
  const at = 2 + (state.logIndex - 1) * LOG_ENTRY_BYTES;
  state.log.set([test, 0, LIFETIME_HOURS & 0xff, LIFETIME_HOURS >> 8], at);
  return true;
}

/** The last byte makes the sum of all zero. */
function withChecksum(page: Uint8Array): Uint8Array {
  let sum = 0;
  for (let i = 0; i < 511; i++) sum += page[i]!;
  page[511] = -sum & 0xff;
  return page;
}
