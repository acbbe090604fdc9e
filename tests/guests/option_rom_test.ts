/**
 * Option ROMs, with SeaBIOS and with moa's own firmware.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { assemble } from "../../machine/firmware/mod.ts";
import { Vm } from "../../mod.ts";
import type { VmOptions } from "../../monitor/mod.ts";
import { FIRMWARES, PATIENCE_MS } from "./booted.ts";

const ROM_BYTES = 1024;
const WAIT = { timeoutMs: PATIENCE_MS };

const SAYS = (letter: string) => `
        push ax
        push dx
        mov dx, 0x3f8
        mov al, ${letter.charCodeAt(0)}
        out dx, al
        pop dx
        pop ax
`;

/** A ROM that says a letter at its start, C when it may connect (which one that boots need not), B when it is booted. */
function rom({ letter = "I", atStart = "", boots = true } = {}): Uint8Array {
  const source = `
        db 0x55, 0xaa, ${ROM_BYTES / 512}
        jmp start
        times 0x1a-($-$$) db 0
        dw pnp, 0
pnp:    db "$PnP", 1, 2
        dw 0
        db 0, 0
        dd 0
        dw 0, product
        dd 2
        dw connect, 0, ${boots ? "bootstrap" : 0}, 0, 0
product: db "a ROM that says ${letter}", 0
start:  ${SAYS(letter)}
        ${atStart}
        retf
connect: ${SAYS("C")}
        retf
bootstrap: ${SAYS("B")}
        retf
        times ${ROM_BYTES}-($-$$) db 0
`;
  const { bytes } = assemble(source);
  bytes[bytes.length - 1] = 0x100 - bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0);
  return bytes;
}

function start(options: VmOptions): Promise<Vm> {
  return Vm.start({
    accel: "v86",
    memory: 32,
    nodefaults: true,
    vga: "std",
    serial: ["script"],
    ...options,
  });
}

for (const { firmware, bios, ignore } of FIRMWARES) {
  Deno.test({
    name: `${firmware}: an option ROM is started, connected and booted; one that is damaged is not`,
    ignore,
    fn: async () => {
      const damaged = rom({ letter: "D" });
      damaged[100]! ^= 1;
      await using vm = await start({
        ...bios,
        optionRoms: [
          { name: "a.bin", content: damaged },
          { name: "b.bin", content: rom() },
          { name: "c.bin", content: rom({ letter: "J", boots: false }) },
        ],
      });
      await vm.serial.waitFor("B", WAIT);
      const said = vm.serial.text.slice(0, 4);
      // SeaBIOS starts the last one first.
      assertEquals(firmware === "SeaBIOS" ? said.replace("JI", "IJ") : said, "IJCB");
    },
  });
}

Deno.test("the built-in firmware's ROMs: one goes, one has no room, the menu names the other, which gives up", async () => {
  const large = new Uint8Array(0x28000);
  // What is 512 bytes times 255 fits once.
  large.set([0x55, 0xaa, 255, 0xcb]);
  large[512 * 255 - 1] = 0x100 - [...large.subarray(0, 4)].reduce((sum, byte) => (sum + byte) & 0xff, 0);
  await using vm = await start({
    bios: "built-in",
    bootMenu: true,
    splashTimeMs: PATIENCE_MS,
    optionRoms: [
      { name: "goes", content: rom({ letter: "G", atStart: "mov byte [cs:2], 0" }) },
      { name: "stays", content: rom() },
      { name: "large", content: large },
      { name: "larger", content: large },
      { name: "short", content: rom().subarray(0, 600) },
    ],
  });
  await vm.screen.waitFor(/ESC or F12/, WAIT);
  assertEquals(vm.serial.text, "GI");
  const text = vm.screen.text();
  const leftOut = text.split("\n").filter((line) => line.startsWith("Option ROM")).map((line) => line.trimEnd());
  assertEquals(leftOut, [
    "Option ROM larger is left out: there is no room for its 127.5 KiB",
    "Option ROM short is left out: it is shorter than it says",
  ]);
  const first = new Uint8Array(ROM_BYTES);
  vm.machine.memory.read(0xc8000, first);
  assertEquals(first, rom());
  await vm.sendKeys("esc");
  await vm.screen.waitFor(/1\. Option ROM \[a ROM that says I\]/, WAIT);
  await vm.sendKeys("1");
  await vm.screen.waitFor(/No bootable device/, WAIT);
  assertEquals(vm.serial.text, "GIB");
});

Deno.test("an option ROM that never comes back keeps the guest, not the machine", async () => {
  await using vm = await start({
    bios: "built-in",
    optionRoms: [{ name: "stays", content: rom({ atStart: "again: jmp again" }) }],
  });
  await vm.serial.waitFor("I", WAIT);
  await vm.stop();
  assertEquals(vm.serial.text, "I");
});
