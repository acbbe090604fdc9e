/**
 * What is booted, with SeaBIOS and with moa's own firmware: places in the order, the menu, strictness, starting again.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { buildIso, Vm } from "../../mod.ts";
import type { VmOptions } from "../../monitor/mod.ts";
import { TempFolder } from "../support/temp.ts";
import { bootSector, FIRMWARES, PATIENCE_MS } from "./booted.ts";

/** Says `letter` in the first serial port, and whether the drive is the first of its kind, then does `after`. */
const SAYS = (letter: string, after = "") => `
        xor ax, ax
        mov ss, ax
        mov sp, 0x7c00
        mov bl, dl
        mov dx, 0x3f8
        mov al, ${letter.charCodeAt(0)}
        out dx, al
        mov al, bl
        and al, 0x0f
        add al, 0x30
        out dx, al
        mov al, 10
        out dx, al
        ${after}
stand:  hlt
        jmp stand
`;

const WAIT = { timeoutMs: PATIENCE_MS };

interface Machine extends AsyncDisposable {
  readonly vm: Vm;
}

/** Two disks that say A and B (A gives up with int 18h where \`givesUp\`), a CD that says C. */
async function machineOf(
  bios: Pick<VmOptions, "bios">,
  places: Readonly<Record<"a" | "b" | "c", number | undefined>>,
  options: VmOptions & { readonly givesUp?: boolean },
): Promise<Machine> {
  await using undo = new AsyncDisposableStack();
  const temp = undo.use(await TempFolder.make());
  const { givesUp = false, ...rest } = options;
  const disk = (letter: string, after = "") => {
    const image = new Uint8Array(2 ** 20);
    image.set(bootSector(SAYS(letter, after)));
    return image;
  };
  const files = {
    a: await temp.write("a.raw", disk("A", givesUp ? "int 0x18" : "")),
    b: await temp.write("b.raw", disk("B")),
    c: await temp.write("c.iso", buildIso({ "boot.img": bootSector(SAYS("C")) }, { boot: "boot.img" })),
  };
  const place = (name: "a" | "b" | "c") => places[name] === undefined ? "" : `,bootindex=${places[name]}`;
  const vm = undo.use(
    await Vm.start({
      accel: "v86",
      memory: 32,
      nodefaults: true,
      vga: "std",
      serial: ["script"],
      drives: (["a", "b", "c"] as const).map((name) => `file=${files[name]},format=raw,if=none,id=${name}`),
      devices: [
        `ide-hd,drive=a,bus=ide.0,unit=0${place("a")}`,
        `ide-hd,drive=b,bus=ide.0,unit=1${place("b")}`,
        `ide-cd,drive=c,bus=ide.1,unit=0${place("c")}`,
      ],
      ...bios,
      ...rest,
    }),
  );
  const resources = undo.move();
  return { vm, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

const NO_PLACES = { a: undefined, b: undefined, c: undefined };

for (const { firmware, bios, ignore } of FIRMWARES) {
  Deno.test({
    name: `${firmware}: places in the order come before kinds; what gives up (int 18h) is followed by the next`,
    ignore,
    fn: async () => {
      // The second disk is the first that int 13h numbers; the CD comes between the disks.
      {
        await using machine = await machineOf(bios, { a: 3, b: 1, c: 2 }, {});
        await machine.vm.serial.waitFor("B0\n", WAIT);
      }
      await using machine = await machineOf(bios, { a: 1, b: undefined, c: undefined }, {
        givesUp: true,
        boot: "d",
      });
      await machine.vm.serial.waitFor("A0\n", WAIT);
      await machine.vm.serial.waitFor("C0\n", WAIT);
    },
  });

  Deno.test({
    name: `${firmware}: the menu starts what is picked, which is the first of its kind from then on`,
    ignore,
    fn: async () => {
      await using machine = await machineOf(bios, NO_PLACES, { bootMenu: true, splashTimeMs: 60_000 });
      const { vm } = machine;
      await vm.screen.waitFor(/ESC/, WAIT);
      await vm.sendKeys("esc");
      await vm.screen.waitFor(/Select [^]*\n *2\. /, WAIT);
      const second = vm.screen.text().split("\n").find((line) => /^ *2\. /.test(line));
      assert(second !== undefined && !/DVD|CD-ROM/.test(second), second);
      await vm.sendKeys("2");
      await vm.serial.waitFor("B0\n", WAIT);
    },
  });

  Deno.test({
    name: `${firmware}: strict, nothing without a place is booted; after the timeout the machine starts again`,
    ignore,
    fn: async () => {
      // The CD that has the only place is empty; the disk would boot.
      await using machine = await machineOf(bios, { a: undefined, b: undefined, c: 1 }, {
        strictBoot: true,
        rebootTimeoutMs: 100,
        paused: true,
      });
      const { vm } = machine;
      await vm.monitor("eject -f c");
      let resets = 0;
      vm.machine.events.on("RESET", () => void resets++);
      await vm.cont();
      await vm.until("two starts more", () => resets >= 2, WAIT);
      assertEquals(vm.serial.text, "");
    },
  });
}

Deno.test("the built-in firmware's menu can be left, and lists every drive by moa's name for it", async () => {
  await using machine = await machineOf({ bios: "built-in" }, NO_PLACES, { bootMenu: true, splashTimeMs: 60_000 });
  const { vm } = machine;
  await vm.screen.waitFor(/ESC or F12/, WAIT);
  await vm.sendKeys("f12");
  await vm.screen.waitFor(/\n>/, WAIT);
  const lines = vm.screen.text().split("\n").filter((line) => /^\d\. /.test(line));
  assertEquals(lines.map((line) => line.replace(/, .*/, "")), ["1. Hard Disk [a", "2. Hard Disk [b", "3. DVD/CD [c"]);
  await vm.sendKeys("9");
  await vm.sendKeys("esc");
  await vm.serial.waitFor("A0\n", WAIT);
});
