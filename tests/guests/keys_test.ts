/**
 * What keys give by int 16h, its old functions and its new ones, and what they do besides: under SeaBIOS and under moa's
 * own firmware.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { boot, type BootedMachine, bootSector, FIRMWARES, PATIENCE_MS } from "./booted.ts";

const WORDS = 0x1000;
const END = 0x500;

/** Looks at each key by function 11h, takes it by 00h, and keeps both words; Break and Print Screen are counted. */
const READS = `
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        inc word [0x7ff0]
        mov word [0x1b*4], break
        mov word [0x1b*4+2], ax
        mov word [5*4], print
        mov word [5*4+2], ax
        mov di, 0x1000
again:  mov [0x500], di
wait:   mov ah, 0x11
        int 0x16
        jz wait
        stosw
        mov ah, 0x00
        int 0x16
        stosw
        mov ah, 0x12
        int 0x16
        mov [0x506], ax
        jmp again
break:  inc byte [cs:0x502]
        iret
print:  inc byte [cs:0x503]
        iret
`;

/** Strokes, what the new functions give for them, and the old ones. */
const STROKES: readonly (readonly [stroke: string, words: string])[] = [
  ["a", "1e61 1e61"],
  ["shift-a", "1e41 1e41"],
  ["ctrl-a", "1e01 1e01"],
  ["alt-a", "1e00 1e00"],
  ["alt-1", "7800 7800"],
  ["ctrl-2", "0300 0300"],
  ["shift-tab", "0f00 0f00"],
  ["ctrl-tab", "9400 9400"],
  ["alt-tab", "a500 a500"],
  ["up", "48e0 4800"],
  ["ctrl-left", "73e0 7300"],
  ["alt-home", "9700 9700"],
  ["ctrl_r-delete", "93e0 9300"],
  ["shift-f1", "5400 5400"],
  ["ctrl-f12", "8a00 8a00"],
  ["f11", "8500 8500"],
  ["kp_enter", "e00d 1c0d"],
  ["ctrl-kp_enter", "e00a 1c0a"],
  ["kp_divide", "e02f 352f"],
  ["alt_r-kp_divide", "a400 a400"],
  ["kp_7", "4700 4700"],
  ["ctrl-kp_7", "7700 7700"],
  ["shift-kp_7", "4737 4737"],
  ["kp_add", "4e2b 4e2b"],
  ["less", "565c 565c"],
];

async function started(options: Parameters<typeof boot>[1]): Promise<BootedMachine> {
  const image = new Uint8Array(1 << 20);
  image.set(bootSector(READS));
  const machine = await boot(image, options);
  await machine.vm.until("the guest to wait", () => endOf(machine) === WORDS, { timeoutMs: PATIENCE_MS });
  return machine;
}

function endOf(machine: BootedMachine): number {
  return machine.vm.machine.memory.readValue(END, 2);
}

/** Presses keys, then x; what came before x. */
async function wordsOf(machine: BootedMachine, ...strokes: string[]): Promise<string> {
  const before = endOf(machine);
  const words = () =>
    [...new Uint16Array(machine.read(before, Math.max(0, endOf(machine) - before)).buffer)]
      .map((word) => word.toString(16).padStart(4, "0"));
  await machine.vm.sendKeys(...strokes, "x");
  await machine.vm.until("the x", () => words().includes("2d78"), { timeoutMs: PATIENCE_MS });
  return words().slice(0, -2).join(" ");
}

for (const { firmware, bios, ignore } of FIRMWARES) {
  Deno.test({
    name: `keys by int 16h, with ${firmware}`,
    ignore,
    fn: async () => {
      await using machine = await started(bios);
      const seen: [string, string][] = [];
      for (const [stroke] of STROKES) seen.push([stroke, await wordsOf(machine, stroke)]);
      assertEquals(seen, STROKES.map(([stroke, words]) => [stroke, words]));
      // Locks: with Num Lock digits, with Caps Lock capitals; both off again.
      assertEquals(await wordsOf(machine, "num_lock", "kp_7", "num_lock", "kp_7"), "4737 4737 4700 4700");
      assertEquals(
        await wordsOf(machine, "caps_lock", "b", "shift-b", "1", "caps_lock"),
        "3042 3042 3062 3062 0231 0231",
      );
      // Print Screen and Break call their interrupts.
      await machine.vm.sendKeys("print");
      await machine.untilByte(0x503, 1);
      await machine.vm.sendKeys("ctrl-pause");
      await machine.untilByte(0x502, 1);
    },
  });
}

Deno.test("a character by its number, Pause, Ctrl-Alt-Del: what moa's own firmware makes of them", async () => {
  await using machine = await started({ bios: "built-in" });
  const { vm } = machine;
  const { keyboard } = vm.machine;
  assertEquals(await wordsOf(machine, "pause", "kp_7"), "4700 4700");
  // Alt stays down for both digits.
  await keyboard.stroke({ keys: ["alt", "kp_6", "kp_5"], holdNs: 1e7 });
  assertEquals(await wordsOf(machine), "0041 0041");
  const starts = vm.machine.memory.readValue(0x7ff0, 2);
  await vm.sendKeys("ctrl-alt-delete");
  await vm.until("the guest to start again", () => vm.machine.memory.readValue(0x7ff0, 2) > starts, {
    timeoutMs: PATIENCE_MS,
  });
});

Deno.test("a key that switches the machine off is given, and what was to follow is let go", async () => {
  const image = new Uint8Array(1 << 20);
  image.set(bootSector(`
        xor ax, ax
        mov ds, ax
        mov byte [0x5ff], 0x77
        mov ah, 0
        int 0x16
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
stand:  hlt
        jmp stand`));
  await using machine = await boot(image, { bios: "built-in" });
  const { vm } = machine;
  const said: unknown[] = [];
  vm.machine.events.on("SHUTDOWN", (event) => void said.push(event));
  await machine.untilByte(0x5ff, 0x77);
  await vm.sendKeys("ret", "a", "b");
  assertEquals(said, [{ guest: true, reason: "guest-shutdown" }]);
});
