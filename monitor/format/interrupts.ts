/**
 * Interrupt controllers as `info pic`, `info lapic` and `info irq` print them.
 *
 * Source: the form is QEMU 7.2's, measured with every mode that a register can name.
 *
 * @module
 */
import type { InterruptControllers, IoApicView, LocalApicView, PicView } from "../../machine/mod.ts";

const ACTIVE_LOW = 0x2000;
const LEVEL = 0x8000;
const MASKED = 0x1_0000;
const PENDING = 0x1000;
const LOGICAL = 0x800;
const REMOTE_IRR = 0x4000n;
const ISA_LINES = 16;
const FIRST_ENTRY = 0x10;
const NMI = 4;
const LOCAL_DELIVERY = ["Fixed", "...", "SMI", "...", "NMI", "INIT", "...", "ExtINT"] as const;
const DELIVERY = ["fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT"] as const;
const TIMER_MODES = ["one-shot", "periodic", "tsc-deadline", "..."] as const;
const SHORTHANDS = ["no-shorthand", "self", "all-self", "all"] as const;

/** What `info pic` prints. */
export function picText({ first, second, ioApic }: InterruptControllers): string {
  return ioApicText(ioApic) + onePic("pic1", second) + onePic("pic0", first);
}

function onePic(name: string, pic: PicView): string {
  const { irr, imr, isr, highest, vectorBase, readIsr, elcr, specialFullyNested } = pic;
  return `${name}: irr=${hex(irr, 2)} imr=${hex(imr, 2)} isr=${hex(isr, 2)} hprio=${highest} ` +
    `irq_base=${hex(vectorBase, 2)} rr_sel=${Number(readIsr)} elcr=${hex(elcr, 2)} fnm=${Number(specialFullyNested)}\n`;
}

function ioApicText({ version, id, select, requests, entries }: IoApicView): string {
  // Registers before the entries count as ones far behind.
  const shown = select === 0 ? "" : ` (redir[${(select - FIRST_ENTRY >> 1) >>> 0}])`;
  let out = `ioapic0: ver=0x${hex(version, 2)} id=0x${hex(id, 2)} sel=0x${hex(select, 2)}${shown}\n`;
  entries.forEach((entry, pin) => {
    const low = Number(entry & 0xffff_ffffn);
    out += `  pin ${String(pin).padEnd(2)} 0x${hex(entry, 16)} dest=${(entry >> 56n).toString(16)} ` +
      `vec=${String(low & 0xff).padEnd(3)} ${trigger(low)} ${(low & MASKED) === 0 ? "      " : "masked"} ` +
      `${DELIVERY[low >> 8 & 7]!.padEnd(6)} ${(low & LOGICAL) === 0 ? "physical" : "logical"}\n`;
  });
  const remote = entries.map((entry) => (entry & REMOTE_IRR) !== 0n);
  return out + `  IRR     ${list(entries.map((_, pin) => (requests >>> pin & 1) !== 0))}\n` +
    `  Remote IRR${list(remote)}\n`;
}

function trigger(entry: number): string {
  return `${(entry & ACTIVE_LOW) === 0 ? "active-hi" : "active-lo"} ${(entry & LEVEL) === 0 ? "edge " : "level"}`;
}

/** The numbers of those that are set. */
function list(flags: readonly boolean[]): string {
  const set = flags.flatMap((flag, index) => flag ? [index] : []);
  return set.length === 0 ? " (none)" : ` ${set.join(" ")} `;
}

/** What `info lapic` prints. */
export function localApicText(apic: LocalApicView): string {
  const { divide, initialCount, currentCount, spurious, commandLow, errorStatus, taskPriority } = apic;
  const { destinationFormat, logicalDestination } = apic;
  const shift = ((divide & 8) >> 1 | divide & 3) + 1 & 7;
  const format = destinationFormat >>> 28;
  const logical = logicalDestination >>> 24;
  const cluster = format === 0 ? `(cluster ${logical >> 4}: id ${logical & 0xf})` : "";
  return "dumping local APIC state for CPU 0 \n\n" +
    entryText("LVT0", apic.lint0) + entryText("LVT1", apic.lint1) + entryText("LVTPC", apic.performance) +
    entryText("LVTERR", apic.error) + entryText("LVTTHMR", apic.thermal) + entryText("LVTT", apic.timer, true) +
    `Timer\t DCR=0x${divide.toString(16)} (divide by ${2 ** shift}) initial_count = ${initialCount} ` +
    `current_count = ${currentCount}\n` +
    `SPIV\t 0x${hex(spurious, 8)} APIC ${(spurious & 0x100) === 0 ? "disabled" : "enabled"}, ` +
    `focus=${(spurious & 0x200) === 0 ? "off" : "on"}, spurious vec ${spurious & 0xff}\n` +
    `ICR\t 0x${hex(commandLow, 8)} ${(commandLow & LOGICAL) === 0 ? "physical" : "logical"} ` +
    `${(commandLow & LEVEL) === 0 ? "edge" : "level"} ${(commandLow & 0x4000) === 0 ? "de-assert" : "assert"} ` +
    `${SHORTHANDS[commandLow >>> 18 & 3]}\n` +
    `ICR2\t 0x${hex(apic.commandHigh, 8)}${destination(apic)}\n` +
    `ESR\t 0x${hex(errorStatus, 8)}\n` +
    `ISR\t${list(bits(apic.isr))}\nIRR\t${list(bits(apic.irr))}\n\n` +
    `APR 0x00 TPR 0x${hex(taskPriority, 2)} DFR 0x${hex(format, 2)} LDR 0x${hex(logical, 2)}${cluster} ` +
    `PPR 0x${hex(processorPriority(apic), 2)}\n`;
}

function entryText(name: string, entry: number, isTimer = false): string {
  const mode = isTimer ? TIMER_MODES[entry >>> 17 & 3]! : "";
  const delivery = entry >>> 8 & 7;
  const vector = delivery === NMI ? "" : ` (vec ${entry & 0xff})`;
  return `${name}\t 0x${hex(entry, 8)} ${trigger(entry)} ${((entry & MASKED) === 0 ? "" : "masked").padEnd(6)} ` +
    `${((entry & PENDING) === 0 ? "" : "pending").padEnd(7)} ${mode.padEnd(12)} ` +
    `${LOCAL_DELIVERY[delivery]!.padEnd(6)}${vector}\n`;
}

/** Whom the last command went to, where it names somebody. */
function destination({ commandLow, commandHigh, destinationFormat }: LocalApicView): string {
  if ((commandLow >>> 18 & 3) !== 0) return "";
  const to = commandHigh >>> 24;
  if ((commandLow & LOGICAL) === 0) return ` cpu ${to} (APIC ID)`;
  if (destinationFormat >>> 28 !== 0) return ` mask ${to.toString(2).padStart(8, "0")} (APIC ID)`;
  return ` cluster ${to >> 4} mask ${(to & 0xf).toString(2).padStart(4, "0")} (APIC ID)`;
}

function bits(words: readonly number[]): boolean[] {
  return words.flatMap((word) => Array.from({ length: 32 }, (_, bit) => (word >>> bit & 1) !== 0));
}

/** The task's priority or that of what is in service, whichever class is higher. */
function processorPriority({ taskPriority, isr }: LocalApicView): number {
  const served = Math.max(0, bits(isr).lastIndexOf(true));
  return (taskPriority & 0xf0) >= (served & 0xf0) ? taskPriority : served & 0xf0;
}

/** What `info irq` prints. */
export function interruptCountsText(counts: readonly number[]): string {
  const rows = (shown: readonly number[]) =>
    shown.map((count, line) => count === 0 ? "" : `${String(line).padStart(2)}: ${count}\n`).join("");
  return `IRQ statistics for ioapic:\n${rows(counts)}IRQ statistics for isa-i8259:\n${
    rows(counts.slice(0, ISA_LINES))
  }`;
}

function hex(value: number | bigint, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
