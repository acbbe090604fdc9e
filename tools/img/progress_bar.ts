/**
 * The bar that a terminal shows: how much is done, how fast, and how long it will take.
 *
 * @module
 */
const CELLS = 24;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** One line without its end; as long as the one before it, so that nothing of that stays. */
export function barText(
  percent: number,
  elapsedSeconds: number,
  bytes: { readonly done: number; readonly size: number },
): string {
  const cells = Math.floor(CELLS * percent / 100);
  const bar = `[${"#".repeat(cells)}${".".repeat(CELLS - cells)}] ${percent.toFixed(0).padStart(3)}%`;
  if (bytes.size === 0 || elapsedSeconds <= 0 || percent <= 0) return bar.padEnd(76);
  const left = percent >= 100
    ? `in ${clock(elapsedSeconds)}`
    : `${clock(elapsedSeconds * (100 - percent) / percent)} left`;
  const rate = `${amount(bytes.done / elapsedSeconds)}/s`;
  return `${bar}  ${amount(bytes.done)} of ${amount(bytes.size)}  ${rate}  ${left}`.padEnd(76);
}

function amount(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; value >= 1000 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`;
}

function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = `${whole % 60}`.padStart(2, "0");
  return hours > 0 ? `${hours}:${`${minutes}`.padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
