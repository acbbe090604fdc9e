/**
 * What the prompt sees through page tables: `x`, `gva2gpa`, `info tlb`, `info mem`.
 *
 * A boot sector loads tables that were made by hand and turns paging on. Where an address leads to is what the
 * architecture says ([SDM] volume 3, 4.3 and 4.4); and qemu-system-x86_64, started with the same disk, has to print the
 * same text.
 */
import { assertEquals } from "@std/assert";
import { haveProgram } from "../support/programs.ts";
import { qmpDialogue } from "../support/qmp_dialogue.ts";
import { prompt } from "../support/qmp_side_by_side.ts";
import { TempFolder } from "../support/temp.ts";
import { bootSector } from "./booted.ts";

const QEMU = "qemu-system-x86_64";
/** Where the tables begin: eight of them. */
const TABLES = 0x10000;
const TABLE_BYTES = 4096;
const TABLES_BYTES = 8 * TABLE_BYTES;

const [P, W, U, PWT, PCD, A, D, PS, G] = [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100] as const;
/** Bit 63, in the upper word. */
const NX = 0x8000_0000;
/** Bits of CR4. */
const [CR4_PSE, CR4_PAE] = [0x10, 0x20] as const;

/** Loads the tables, sets CR4, EFER.NXE where asked for, CR3 and CR0.PG, and switches the machine off. */
function paging(cr4: number, noExecute: boolean): Uint8Array {
  return bootSector(`
        cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7000
        mov si, packet
        mov ah, 0x42
        mov dl, 0x80
        int 0x13
        ${noExecute ? "mov ecx, 0xc0000080\n db 0x0f, 0x32\n or ah, 8\n db 0x0f, 0x30" : ""} ; rdmsr, wrmsr
        mov eax, ${cr4}
        db 0x0f, 0x22, 0xe0 ; mov cr4, eax
        mov eax, ${TABLES}
        db 0x0f, 0x22, 0xd8 ; mov cr3, eax
        db 0x0f, 0x20, 0xc0 ; mov eax, cr0
        db 0x66, 0x0d, 1, 0, 0, 0x80 ; or eax, 80000001h
        db 0x0f, 0x22, 0xc0 ; mov cr0, eax
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
stop:   hlt
        jmp stop
packet: db 16, 0
        dw ${TABLES_BYTES / 512}, 0, ${TABLES >> 4}
        dd 1, 0`);
}

/** Tables by number; table 0 is where CR3 points. */
class Tables {
  readonly bytes = new Uint8Array(TABLES_BYTES);
  readonly #view = new DataView(this.bytes.buffer);

  /** The address of table `number` with `flags`. */
  static at(number: number, flags: number): number {
    return TABLES + number * TABLE_BYTES | flags;
  }

  narrow(table: number, index: number, entry: number): void {
    this.#view.setUint32(table * TABLE_BYTES + index * 4, entry >>> 0, true);
  }

  wide(table: number, index: number, low: number, high = 0): void {
    this.#view.setUint32(table * TABLE_BYTES + index * 8, low >>> 0, true);
    this.#view.setUint32(table * TABLE_BYTES + index * 8 + 4, high >>> 0, true);
  }
}

interface Case {
  readonly name: string;
  readonly cr4: number;
  readonly noExecute?: boolean;
  fill(tables: Tables): void;
  /** From linear to physical; `undefined`: unmapped. */
  readonly leads: readonly (readonly [linear: number, physical: number | undefined])[];
}

const NARROW: Case = {
  name: "32-bit paging without big pages",
  cr4: 0,
  fill(t) {
    t.narrow(0, 0, Tables.at(1, P | W));
    const flags: Record<number, number> = { 5: G, 6: D | A, 7: PCD, 8: PWT };
    for (let page = 0; page < 1024; page++) {
      t.narrow(1, page, page * 4096 | P | W | (page % 3 === 0 ? U : 0) | (flags[page] ?? 0));
    }
    t.narrow(1, 100, 0);
    t.narrow(1, 101, 0x20_0000 | P);
    t.narrow(1, 102, 0xffff_f000 | P | W);
    t.narrow(1, 103, 0xfee0_0000 | P | W);
    t.narrow(0, 1, Tables.at(2, P | U | PS)); // CR4.PSE is clear: PS says nothing
    for (let page = 0; page < 8; page++) t.narrow(2, page, (0x30_0000 + page * 4096) | P | U | W);
    t.narrow(0, 2, Tables.at(2, W | U));
    t.narrow(0, 3, 0xfff0_0000 | P); // a table outside RAM
    t.narrow(0, 1023, Tables.at(0, P | W)); // the tables show themselves
  },
  leads: [
    [0x7c00, 0x7c00],
    [100 * 4096, undefined],
    [101 * 4096 + 5, 0x20_0005],
    [102 * 4096, 0xffff_f000],
    [103 * 4096 + 0x20, 0xfee0_0020],
    [0x40_0000, 0x30_0000],
    [0x40_1004, 0x30_1004],
    [0x40_8000, undefined],
    [0x80_0000, undefined],
    [0xc0_0000, undefined],
    [0xffc0_0000, TABLES + TABLE_BYTES],
    [0xffff_f000, TABLES],
    [0xffff_fffc, TABLES + 4092],
  ],
};

const BIG: Case = {
  name: "32-bit paging with pages of 4 MiB, some beyond 4 GiB",
  cr4: CR4_PSE,
  fill(t) {
    t.narrow(0, 0, P | W | PS);
    t.narrow(0, 1, 0x40_0000 | P | U | PS | D | A | G);
    t.narrow(0, 2, 0x40_0000 | P | W | PS | 0x2000); // bit 13 is bit 32 of the address
    t.narrow(0, 3, 0x40_0000 | P | W | PS | 0x1000); // bit 12 is PAT
    t.narrow(0, 4, 0x40_0000 | P | W | PS | 0x20_0000); // bit 21 is reserved
    t.narrow(0, 5, Tables.at(2, P | W | U));
    for (let page = 0; page < 4; page++) {
      t.narrow(2, page, (0x30_0000 + page * 4096) | P | U | (page > 0 ? W : 0) | (page === 2 ? PS : 0)); // bit 7 is PAT
    }
    t.narrow(0, 6, 0x80_0000 | W | PS);
    t.narrow(0, 7, P | W | PS | 0x1f_e000);
    t.narrow(0, 1023, 0xffc0_0000 | P | W | PS);
  },
  leads: [
    [0x7c00, 0x7c00],
    [0x40_0010, 0x40_0010],
    [0x7f_fffc, 0x7f_fffc],
    [0x80_0000, 0x1_0040_0000],
    [0xc0_0000, 0x40_0000],
    [0x100_0000, 0x40_0000],
    [0x140_0000, 0x30_0000],
    [0x140_2000, 0x30_2000],
    [0x140_4000, undefined],
    [0x180_0000, undefined],
    [0x1c0_0000, 0xff_0000_0000],
    [0xffff_fff0, 0xffff_fff0],
  ],
};

const WIDE: Case = {
  name: "PAE with pages of 4 KiB and 2 MiB",
  // Whatever CR4.PSE says, which is what the core has to be corrected for.
  cr4: CR4_PAE,
  fill(t) {
    t.wide(0, 0, Tables.at(1, P));
    t.wide(0, 1, Tables.at(2, P));
    t.wide(0, 2, Tables.at(3, 0));
    t.wide(0, 3, Tables.at(4, P));
    t.wide(1, 0, P | W | PS | G);
    t.wide(1, 1, 0x20_0000 | P | W | U | PS | D | A);
    t.wide(1, 2, 0x20_0000 | P | W | PS, 1);
    t.wide(1, 3, 0x20_0000 | P | W | PS | 0x2000); // bits 13 to 20 are reserved
    t.wide(1, 4, Tables.at(5, P | W | U));
    t.wide(1, 5, 0x20_0000 | P | W | PS | 0x1000); // bit 12 is PAT
    t.wide(1, 6, 0x20_0000 | W | PS);
    t.wide(1, 7, Tables.at(6, P), 2); // a table outside RAM
    t.wide(1, 8, 0x20_0000 | P | W | PS, NX);
    t.wide(1, 9, 0x20_0000 | P | W | PS, 0x10_0000); // bit 52 is reserved
    t.wide(1, 10, 0x20_0000 | P | W | PS, 0x10);
    for (let page = 0; page < 8; page++) t.wide(5, page, (0x30_0000 + page * 4096) | P | W | (page % 2 ? U : 0));
    t.wide(5, 3, 0);
    t.wide(5, 4, 0x30_0000 | P, 1);
    t.wide(5, 5, 0x30_0000 | P | W, NX);
    t.wide(5, 6, 0x30_0000 | P | PS); // bit 7 is PAT
    t.wide(5, 7, 0x30_1000 | P | W, 0x20_0000); // bit 53 is reserved
    t.wide(2, 0, 0x20_0000 | P | PS | U);
    t.wide(4, 0, 0x20_0000 | P | PS);
    t.wide(4, 511, 0xffe0_0000 | P | W | PS);
  },
  leads: [
    [0x7c00, 0x7c00],
    [0x20_0004, 0x20_0004],
    [0x40_0000, 0x1_0020_0000],
    [0x60_0000, 0x20_0000],
    [0x80_0000, 0x30_0000],
    [0x80_1000, 0x30_1000],
    [0x80_3000, undefined],
    [0x80_4000, 0x1_0030_0000],
    [0x80_5000, 0x30_0000],
    [0x80_6000, 0x30_0000],
    [0x80_7000, 0x30_1000],
    [0xa0_0000, 0x20_0000],
    [0xc0_0000, undefined],
    [0xe0_0000, undefined],
    [0x100_0000, 0x20_0000],
    [0x120_0000, 0x20_0000],
    [0x140_0000, 0x10_0020_0000],
    [0x4000_0000, 0x20_0000],
    [0x4020_0000, undefined],
    [0x8000_0000, undefined],
    [0xc000_0000, 0x20_0000],
    [0xffff_ff00, 0xffff_ff00],
  ],
};

const CASES: readonly Case[] = [NARROW, BIG, WIDE, { ...WIDE, name: "PAE with EFER.NXE", noExecute: true }];

/** What the prompt of `program` says to `lines` once the guest has switched itself off. */
async function answers(
  program: "moa" | typeof QEMU,
  temp: TempFolder,
  disk: string,
  lines: readonly string[],
): Promise<string[]> {
  const args = ["-accel", "tcg", "-m", "32", "-display", "none", "-serial", "none", "-no-shutdown", "-qmp", "stdio"];
  args.push("-drive", `file=${disk},format=raw,if=ide`);
  const options = { name: QEMU, args, folder: temp.path };
  const exchanges = await qmpDialogue(program, options, ['wait "STOP"', ...lines.map(prompt)]);
  return exchanges.filter(({ request }) => request.includes("human-monitor-command")).map(({ lines }) =>
    JSON.parse(lines.at(-1)!).return
  );
}

for (const { name, cr4, noExecute = false, fill, leads } of CASES) {
  Deno.test(`the prompt looks through page tables: ${name}`, async () => {
    await using temp = await TempFolder.make();
    const tables = new Tables();
    fill(tables);
    const disk = new Uint8Array(1 << 20);
    disk.set(paging(cr4, noExecute));
    disk.set(tables.bytes, 512);
    const path = await temp.write("disk.raw", disk);
    const lines = [
      ...leads.map(([linear]) => `gva2gpa 0x${linear.toString(16)}`),
      ...leads.map(([linear]) => `x /1xw 0x${linear.toString(16)}`),
      // Of more than 32 bits the lower ones count.
      ...["gva2gpa 0x100007c00", "x /4xw 0xfffffffffffffff8", "x /1xw 0x100007c00"],
      ...["info tlb", "info mem", "gpa2hva 0xfee00000", "gpa2hva 0xa0000", "gpa2hva 0x4000000"],
    ];
    const ours = await answers("moa", temp, path, lines);
    assertEquals(
      ours.slice(0, leads.length).map((text) => text.trim()),
      leads.map(([, physical]) => physical === undefined ? "Unmapped" : `gpa: 0x${physical.toString(16)}`),
    );
    if (!haveProgram(QEMU)) return;
    const theirs = await answers(QEMU, temp, path, lines);
    for (const [index, line] of lines.entries()) assertEquals(ours[index], theirs[index], line);
  });
}
