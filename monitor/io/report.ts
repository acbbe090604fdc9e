/**
 * What qemu-io prints of a request: the report lines, a dump, sizes and times.
 *
 * @module
 */
import { formatIoSize } from "../../base/sizes.ts";

/** One request, or several counted together. */
export interface IoReport {
  /** `read`, `wrote`, `discard`. */
  readonly verb: string;
  readonly offset: number;
  /** Bytes that were asked for. */
  readonly wantedBytes: number;
  readonly doneBytes: number;
  readonly operations: number;
  readonly durationNs: number;
  /** `-C`: one line of values. */
  readonly machineReadable: boolean;
}

/** The report: two lines, or one. */
export function formatReport(report: IoReport): string {
  const { verb, offset, wantedBytes, doneBytes, operations, machineReadable } = report;
  const durationNs = Math.max(report.durationNs, 1000);
  const seconds = durationNs / 1e9;
  const bytesPerSecond = doneBytes / seconds;
  const opsPerSecond = operations / seconds;
  if (machineReadable) {
    return `${doneBytes},${operations},${clock(durationNs, true)},${bytesPerSecond.toFixed(3)},${
      opsPerSecond.toFixed(3)
    }\n`;
  }
  return `${verb} ${doneBytes}/${wantedBytes} bytes at offset ${offset}\n` +
    `${formatIoSize(doneBytes)}, ${operations} ops; ${clock(durationNs, false)} (${rate(bytesPerSecond)}/sec and ${
      opsPerSecond.toFixed(4)
    } ops/sec)\n`;
}

/** `00.00 sec` below a minute, `0:01:02.03` from there on and where programs read it. */
function clock(durationNs: number, verbose: boolean): string {
  const hundredths = Math.floor(durationNs / 1e7);
  const seconds = Math.floor(hundredths / 100);
  const fraction = `${two(seconds % 60)}.${two(hundredths % 100)}`;
  const hours = Math.floor(seconds / 3600);
  if (!verbose && seconds < 60) return `${fraction} sec`;
  return `${hours}:${two(Math.floor(seconds / 60) % 60)}:${fraction}`;
}

function two(value: number): string {
  return value.toString().padStart(2, "0");
}

/** `15.104 MiB`; whole bytes without decimals, others with six. */
function rate(bytes: number): string {
  if (bytes >= 1024) return formatIoSize(Math.round(bytes));
  return Number.isInteger(bytes) ? `${bytes} bytes` : `${bytes.toFixed(6)} bytes`;
}

const ROW_BYTES = 16;

/** `read -v`: sixteen bytes a row, in hexadecimal and as characters. */
export function dump(bytes: Uint8Array, offset: number): string {
  let out = "";
  for (let at = 0; at < bytes.length; at += ROW_BYTES) {
    const row = bytes.subarray(at, at + ROW_BYTES);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const chars = Array.from(row, (byte) => isAlphanumeric(byte) ? String.fromCharCode(byte) : ".").join("");
    out += `${(offset + at).toString(16).padStart(8, "0")}:  ${hex}  ${chars}\n`;
  }
  return out;
}

function isAlphanumeric(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}
