/**
 * The program with a CPU in it, as a process: however busy its guest, it hears its monitor and its signals; a state is
 * taken up by another process; what the CPU cannot do is refused by name.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { bootSector } from "./booted.ts";
import { LIMIT_MS, MachineProcess, MOA } from "./process.ts";

const BARE = ["-accel", "v86", "-m", "32", "-display", "none", "-serial", "none"];

/** Counts at 9000 for ever, without a port, a timer or HLT. */
const SPINS = bootSector("cli\n xor ax, ax\n mov ds, ax\nagain: inc dword [0x9000]\n jmp again");

/** One whose guest counts at 9000. */
class CountingProcess extends MachineProcess {
  /** The guest's count. */
  async count(): Promise<number> {
    await this.type("xp /1wx 0x9000");
    return Number((await this.line(/0+9000: /)).slice(-10));
  }

  /** Waits until the guest counts. */
  async untilItCounts(): Promise<void> {
    const before = await this.count();
    while (await this.count() === before) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function spinning(temp: TempFolder): Promise<string[]> {
  const disk = new Uint8Array(1 << 20);
  disk.set(SPINS);
  const path = await temp.write("disk.raw", disk);
  return [...BARE, "-monitor", "stdio", "-drive", `file=${path},format=raw,if=ide`];
}

Deno.test("with a guest that spins the monitor answers, stop stands still, quit ends", async () => {
  await using temp = await TempFolder.make();
  await using moa = new CountingProcess(await spinning(temp));
  await moa.untilItCounts();
  await moa.type("stop");
  await moa.type("info status");
  await moa.line(/VM status: paused/);
  const stood = await moa.count();
  assertEquals(await moa.count(), stood);
  await moa.type("cont");
  while (await moa.count() === stood) { /* every question gives the guest time */ }
  await moa.type("quit");
  assertEquals((await moa.status).code, 0);
});

Deno.test("SIGTERM ends a process whose guest spins", async () => {
  await using temp = await TempFolder.make();
  await using moa = new CountingProcess(await spinning(temp));
  await moa.untilItCounts();
  moa.kill("SIGTERM");
  assertEquals((await moa.status).code, 0);
});

Deno.test("a state that one process saved goes on in another; pages of zeroes are not in the image", async () => {
  await using temp = await TempFolder.make();
  const raw = await temp.write("disk.raw", SPINS);
  const disk = temp.file("disk.qcow2");
  assertEquals((await run("qemu-img", ["create", "-q", "-f", "qcow2", disk, "1M"])).code, 0);
  assertEquals((await run("qemu-img", ["convert", "-n", "-O", "qcow2", raw, disk])).code, 0);
  const args = [...BARE, "-m", "384", "-monitor", "stdio", "-drive", `file=${disk},if=ide`];
  let saved: number;
  {
    await using first = new CountingProcess(args);
    await first.untilItCounts();
    await first.type("stop");
    saved = await first.count();
    await first.type("savevm a");
    await first.type("quit");
    assertEquals((await first.status).code, 0);
  }
  const { size } = await Deno.stat(disk);
  assert(size < 8 << 20, `${size} bytes for 384 MiB of RAM that are nearly all zero`);
  await using second = new CountingProcess([...args, "-S", "-loadvm", "a"]);
  assertEquals(await second.count(), saved);
  await second.type("cont");
  while (await second.count() === saved) { /* it counts on */ }
  await second.type("quit");
  assertEquals((await second.status).code, 0);
});

/** Prints by int 10h, and switches the machine off by ACPI's register. */
const PRINTS_AND_ENDS = bootSector(`
        xor ax, ax
        mov ds, ax
        mov si, text
next:   lodsb
        test al, al
        jz off
        mov ah, 0x0e
        mov bx, 7
        int 0x10
        jmp next
off:    mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
stand:  hlt
        jmp stand
text:   db "printed by int 10h", 13, 10, 0
`);
/** Where the program would find SeaBIOS. */
const FIRMWARE_FOLDERS =
  "/usr/share/seabios,/usr/share/qemu,/usr/local/share/qemu,/usr/share/qemu-kvm,/usr/share/vgabios";

for (
  const [name, hidden, option] of [["asked for", [], ["-bios", "built-in"]], ["in the place of SeaBIOS", [
    `--deny-read=${FIRMWARE_FOLDERS}`,
  ], []]] as const
) {
  Deno.test(`the built-in firmware, ${name}: with -nographic what is printed comes from the serial port`, async () => {
    await using temp = await TempFolder.make();
    const disk = await temp.write("disk.raw", PRINTS_AND_ENDS);
    const [verb, ...rest] = MOA;
    const drive = `file=${disk},format=raw,if=ide`;
    const { code, stdout, stderr, timedOut } = await run(
      Deno.execPath(),
      [verb!, ...hidden, ...rest, "-m", "32", "-nographic", ...option, "-drive", drive],
      { timeoutMs: LIMIT_MS },
    );
    assertEquals([code, timedOut], [0, false], stderr);
    assertMatch(stdout, /moa's built-in firmware[^]*Booting from Hard Disk\.\.\.\r?\n[^]*printed by int 10h/);
    const notice = /info: no SeaBIOS was found \(Debian: seabios.*the built-in firmware runs, as with -bios built-in/;
    assertEquals(notice.test(stderr), option.length === 0, stderr);
  });
}

Deno.test("a file of that name goes before -bios built-in, here and in the folders of -L", async () => {
  await using temp = await TempFolder.make();
  await temp.write("built-in", new Uint8Array(100));
  for (const [cwd, folder] of [[temp.path, []], ["/", ["-L", temp.path]]] as const) {
    const args = [...MOA, ...BARE, ...folder, "-monitor", "none", "-bios", "built-in"];
    const { code, stdout, stderr } = await run(Deno.execPath(), args, {
      cwd,
      env: { INIT_CWD: cwd },
      timeoutMs: LIMIT_MS,
    });
    assertEquals(code, 1, `${stdout}${stderr}`);
    assertMatch(stderr, /could not load PC BIOS/);
  }
});

/** A kernel's header, and whether it says that it is one of 64 bits. */
function kernel(is64: boolean): Uint8Array {
  const image = new Uint8Array(16 << 10);
  const view = new DataView(image.buffer);
  view.setUint8(0x1f1, 4);
  view.setUint32(0x202, 0x5372_6448, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint8(0x211, 1);
  view.setUint32(0x22c, 0x37ff_ffff, true);
  view.setUint16(0x236, is64 ? 1 : 0, true);
  return image;
}

Deno.test("what the CPU cannot do is refused, and the message says what would do", async () => {
  await using temp = await TempFolder.make();
  const kernel64 = await temp.write("vmlinuz", kernel(true));
  const ovmf = await temp.write("OVMF.fd", new Uint8Array(4 << 20));
  const rows: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [["-accel", "v86", "-m", "2048"], /room for 2047 MiB; say -m 2047 or less/],
    [["-accel", "v86", "-bios", ovmf], /needs a CPU that runs code from flash memory; .*bios-256k\.bin/],
    [["-accel", "v86", "-kernel", kernel64], /it is a 64-bit kernel, .*an i386 or i686 kernel would do/],
    [["-accel", "kvm"], /failed to initialize kvm/],
  ];
  for (const [args, message] of rows) {
    const { code, stderr } = await run(Deno.execPath(), [...MOA, "-display", "none", "-monitor", "none", ...args]);
    assertEquals(code, 1, args.join(" "));
    assertMatch(stderr, message);
  }
  const { code, stderr } = await run(
    Deno.execPath(),
    [...MOA, ...BARE, "-S", "-smp", "2", "-monitor", "stdio"],
    { stdin: "quit\n" },
  );
  assertEquals(code, 0);
  assertMatch(stderr, /warning: -smp 2: the machine gets one CPU/);
});
