/**
 * A fault in delivering a fault ("triple fault") resets the machine, as real boards do; RAM survives it.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { boot, bootSector } from "./booted.ts";

const MOA = new URL("../../tools/moa.ts", import.meta.url).pathname;
const SECTOR = 512;

/**
 * At its first start leaves a mark at 30000, enters protected mode with an empty interrupt table and executes INT 3; finds the mark when it
 * starts again.
 */
const FAULTS_ONCE = bootSector(`
        cli
        xor ax, ax
        mov ds, ax
        mov ax, 0x3000
        mov es, ax
        cmp word [es:0], 0x4d6f
        je again
        mov word [es:0], 0x4d6f
        ; lgdt [gdt], lidt [idt]: descriptor tables are not in the assembler
        db 0x0f, 0x01, 0x16
        dw gdt
        db 0x0f, 0x01, 0x1e
        dw idt
        ; CR0.PE = 1, and a far jump to 8:protected
        db 0x0f, 0x20, 0xc0
        or al, 1
        db 0x0f, 0x22, 0xc0
        db 0xea
        dw protected, 8
protected:
        db 0xcc
stand0: hlt
        jmp stand0
again:  mov byte [0x500], 0x77
stand:  hlt
        jmp stand
idt:    dw 0
        dd 0
code:   dd 0, 0, 0x0000ffff, 0x00cf9a00
gdt:    dw 15
        dd code
`);

Deno.test("a fault that cannot be delivered is the guest's reset; RAM keeps what it had", async () => {
  const said: string[] = [];
  await using machine = await boot(padded(FAULTS_ONCE), { bios: "built-in", warn: (text) => void said.push(text) });
  const { vm } = machine;
  const resets: unknown[] = [];
  vm.machine.events.on("RESET", (event) => void resets.push(event));
  await machine.untilByte(0x500, 0x77);
  assertEquals(resets, [{ guest: true, reason: "guest-reset" }]);
  assertEquals(said.length, 1);
  assertMatch(said[0]!, /^the CPU shut down and is reset \(.*#GP/);
  assertEquals(vm.machine.runState, "running");
  // The new core serves as the old one did.
  await vm.stop();
  await vm.cont();
  await vm.monitor("system_reset");
  await vm.until("its code to run again", () => resets.length === 2);
  assert(vm.machine.isRunning);
});

Deno.test("with -no-reboot such a fault ends the program", async () => {
  await using temp = await TempFolder.make();
  const disk = await temp.write("disk.raw", padded(FAULTS_ONCE));
  const options = [
    "-accel",
    "v86",
    "-m",
    "16",
    "-display",
    "none",
    "-no-reboot",
    "-serial",
    "none",
    "-monitor",
    "none",
  ];
  const drive = ["-drive", `file=${disk},format=raw,if=ide`];
  const { code, stderr, timedOut } = await run(
    Deno.execPath(),
    ["run", "-q", "-A", "--no-check", MOA, "system", ...options, ...drive],
    { timeoutMs: 60_000 },
  );
  assertEquals([code, timedOut], [0, false]);
  assertMatch(stderr, /the CPU shut down and is reset/);
});

function padded(sector: Uint8Array): Uint8Array {
  const disk = new Uint8Array(2048 * SECTOR);
  disk.set(sector);
  return disk;
}
