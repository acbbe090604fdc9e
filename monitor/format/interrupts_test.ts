/**
 * Lines as qemu-system-x86_64 7.2 prints them for the same registers.
 */
import { assert, assertEquals } from "@std/assert";
import { type IoApicView, LOCAL_APIC_AFTER_RESET } from "../../machine/mod.ts";
import { interruptCountsText, localApicText, picText } from "./interrupts.ts";

const PIC = { irr: 0, imr: 0, isr: 0, highest: 0, vectorBase: 0, readIsr: false, elcr: 0, specialFullyNested: false };

Deno.test("local APIC: every delivery mode, shorthand and destination", () => {
  const text = localApicText({
    ...LOCAL_APIC_AFTER_RESET,
    lint0: 0x12254,
    lint1: 0x3555,
    performance: 0x1c600,
    timer: 0x40051,
    commandLow: 0x8841,
    commandHigh: 0x0300_0000,
    irr: [0, 0, 2, 0, 1 << 17, 0, 0, 0],
    divide: 9,
  });
  const lines = text.split("\n");
  assertEquals(lines.slice(0, 6).filter((line) => line.startsWith("LVT") || line.startsWith("dump")), [
    "dumping local APIC state for CPU 0 ",
    "LVT0\t 0x00012254 active-lo edge  masked                      SMI    (vec 84)",
    "LVT1\t 0x00003555 active-lo edge         pending              INIT   (vec 85)",
    "LVTPC\t 0x0001c600 active-hi level masked                      ...    (vec 0)",
    "LVTERR\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)",
  ]);
  for (
    const line of [
      "LVTT\t 0x00040051 active-hi edge                 tsc-deadline Fixed  (vec 81)",
      "Timer\t DCR=0x9 (divide by 64) initial_count = 0 current_count = 0",
      "SPIV\t 0x000000ff APIC disabled, focus=off, spurious vec 255",
      "ICR\t 0x00008841 logical level de-assert no-shorthand",
      "ICR2\t 0x03000000 mask 00000011 (APIC ID)",
      "IRR\t 65 145 ",
      "APR 0x00 TPR 0x00 DFR 0x0f LDR 0x00 PPR 0x00",
    ]
  ) assert(lines.includes(line), `${line}\nin\n${text}`);
  const clusters = localApicText({
    ...LOCAL_APIC_AFTER_RESET,
    destinationFormat: 0x0fff_ffff,
    logicalDestination: 0x6500_0000,
    commandLow: 0x4b00,
    commandHigh: 0x2300_0000,
  });
  assert(clusters.includes("ICR2\t 0x23000000 cluster 2 mask 0011 (APIC ID)\n"));
  assert(clusters.includes("APR 0x00 TPR 0x00 DFR 0x00 LDR 0x65(cluster 6: id 5) PPR 0x00\n"));
});

Deno.test("8259s and I/O APIC: registers of the window, modes, destinations", () => {
  const ioApic: IoApicView = {
    version: 0x20,
    id: 0,
    select: 1,
    requests: 0,
    entries: [0x10130n, 0x10736n, 0xf5000000_0001a800n, 0x8045n],
  };
  const first = { ...PIC, highest: 3, vectorBase: 8, readIsr: true, elcr: 0xf8, specialFullyNested: true };
  const second = { ...PIC, imr: 0xff, elcr: 0xde };
  assertEquals(
    picText({ first, second, ioApic, localApic: LOCAL_APIC_AFTER_RESET }),
    `ioapic0: ver=0x20 id=0x00 sel=0x01 (redir[4294967288])
  pin 0  0x0000000000010130 dest=0 vec=48  active-hi edge  masked lowest physical
  pin 1  0x0000000000010736 dest=0 vec=54  active-hi edge  masked extINT physical
  pin 2  0xf50000000001a800 dest=f5 vec=0   active-lo level masked fixed  logical
  pin 3  0x0000000000008045 dest=0 vec=69  active-hi level        fixed  physical
  IRR      (none)
  Remote IRR (none)
pic1: irr=00 imr=ff isr=00 hprio=0 irq_base=00 rr_sel=0 elcr=de fnm=0
pic0: irr=00 imr=00 isr=00 hprio=3 irq_base=08 rr_sel=1 elcr=f8 fnm=1
`,
  );
});

Deno.test("statistics: lines that never rose are left out, those above 15 reach the I/O APIC alone", () => {
  const counts = new Array(24).fill(0);
  counts[0] = 54;
  counts[17] = 2;
  assertEquals(
    interruptCountsText(counts),
    "IRQ statistics for ioapic:\n 0: 54\n17: 2\nIRQ statistics for isa-i8259:\n 0: 54\n",
  );
});
