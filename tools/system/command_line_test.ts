// a library that a test opens first would count as its leak
import "../../base/host/preload.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Program } from "../common/program.ts";
import { completeMonitors } from "./chardevs.ts";
import { CommandLineError, readArguments } from "./arguments.ts";
import { main } from "./main.ts";
import { OPTIONS } from "./option_table.ts";
import { readSettings } from "./read_settings.ts";
import { defaultSettings, type Settings } from "./settings.ts";

function settingsOf(...args: string[]): Settings {
  const settings = defaultSettings();
  readSettings(readArguments(args), settings);
  return settings;
}

/** Runs a command line that ends before a machine stands; its outputs and status. */
async function said(name: string, ...args: string[]): Promise<{ out: string; error: string; code: number }> {
  let [out, error] = ["", ""];
  const outputs = { out: (text: string) => void (out += text), error: (text: string) => void (error += text) };
  const code = await main(new Program(name, outputs), args);
  return { out, error, code };
}

Deno.test("words become options in order, disks among them", () => {
  const options = readArguments(["-m", "1024", "--smp", "2", "rhel6u3.img", "-S"]);
  assertEquals(options.map(({ name, value, origin }) => [name, value, origin]), [
    ["m", "1024", "-m 1024"],
    ["smp", "2", "--smp 2"],
    ["", "rhel6u3.img", "rhel6u3.img"],
    ["S", "", "-S"],
  ]);
});

Deno.test("three ways to name the first disk come to the same drive", () => {
  const pairs = (...args: string[]) =>
    settingsOf(...args).drives[0]!.pairs.map(({ name, value }) => `${name}=${value}`).join();
  assertEquals(pairs("test.img"), "index=0,media=disk,file=test.img");
  assertEquals(pairs("-hda", "test.img"), "index=0,media=disk,file=test.img");
  assertEquals(pairs("-drive", "file=test.img,if=ide,cache=writeback"), "file=test.img,if=ide,cache=writeback");
  assertEquals(pairs("-cdrom", "a,b.iso"), "index=2,media=cdrom,file=a,b.iso");
});

Deno.test("options of the whole machine are read into their units", () => {
  const settings = settingsOf(
    ..."-m 1.5G -smp 2,sockets=1 -boot order=dc,once=n,menu=on -name guest=a -nodefaults -S -no-reboot".split(" "),
    ..."-rtc base=2006-06-17T16:01:21,clock=vm -uuid 00000000-0000-0000-0000-0000000000AB".split(" "),
  );
  assertEquals(settings.ramBytes, 1536 * 2 ** 20);
  assertEquals([settings.cpus, settings.bootOrder, settings.bootOnce, settings.bootMenu], [2, "dc", "n", true]);
  assertEquals([settings.name, settings.nodefaults, settings.paused, settings.noReboot], ["a", true, true, true]);
  assertEquals(settings.clock, { base: Date.UTC(2006, 5, 17, 16, 1, 21) / 1000, clock: "vm" });
  assertEquals(settings.uuid?.toHex(), "000000000000000000000000000000ab");
});

Deno.test("character devices and monitors on them", () => {
  const settings = settingsOf(
    ...["-chardev", "socket,id=mon,path=m.sock,server=on,wait=off", "-mon", "chardev=mon,mode=readline"],
  );
  const [{ id, wish } = { id: "", wish: undefined }] = settings.chardevs;
  assertEquals([id, wish?.mux], ["mon", false]);
  assertEquals(wish?.device, {
    kind: "socket",
    socket: {
      address: { transport: "unix", path: "m.sock" },
      server: true,
      wait: false,
      telnet: false,
      websocket: false,
      reconnectSeconds: 0,
    },
  });
  assertEquals(settings.monitors.map(({ chardev, control }) => [chardev, control]), [["mon", undefined]]);
});

Deno.test("what QEMU has and moa has not is refused by its name", () => {
  for (const [name, row] of OPTIONS) {
    if (row.kind !== "refused") continue;
    const args = row.takesValue ? [`-${name}`, "x"] : [`-${name}`];
    const error = assertThrows(() => settingsOf(...args), CommandLineError);
    assertEquals([error.origin, error.message.startsWith("not available in moa: ")], [args.join(" "), true]);
  }
});

Deno.test("absent devices may be declined", () => {
  settingsOf(..."-display none -vga none -net none -nic none -serial none -parallel null -no-user-config".split(" "));
  settingsOf("-display", "none,gl=off,full-screen=on");
  // Texts of qemu-system-x86_64 7.2.
  for (
    const [text, message] of [
      ["none,charset=CP437", "Parameter 'charset' is unexpected"],
      ["none,gl=foo", "Parameter 'gl' does not accept value 'foo'"],
      ["none,full-screen=maybe", "Parameter 'full-screen' expects 'on' or 'off'"],
      ["none,foo", "Expected '=' after parameter 'foo'"],
    ] as const
  ) assertThrows(() => settingsOf("-display", text), Error, message);
  const refused: [string, string][] = [["-vga", "cirrus"], ["-net", "user"], ["-display", "gtk"]];
  for (const args of refused) assertThrows(() => settingsOf(...args), CommandLineError, "in moa");
});

Deno.test("a file of -readconfig stands for options", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(
      file,
      '# a disk\n[drive "d0"]\n  file = "a,b.qcow2"\n  if = "none"\n[memory]\nsize = "64"\n',
    );
    const settings = settingsOf("-readconfig", file);
    assertEquals(settings.drives[0]!.pairs.map(({ name, value }) => [name, value]), [
      ["id", "d0"],
      ["file", "a,b.qcow2"],
      ["if", "none"],
    ]);
    assertEquals(settings.ramBytes, 64 * 2 ** 20);
    await Deno.writeTextFile(file, "[nosuch]\n");
    const { error } = await said("qemu-system-x86_64", "-readconfig", file);
    assertEquals(error, `qemu-system-x86_64:${file}:1: There is no option group 'nosuch'\n`);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("every group of options that QEMU reads from a file is known: it has an effect, or its option is refused", async () => {
  const file = await Deno.makeTempFile();
  try {
    const read = async (text: string) => {
      await Deno.writeTextFile(file, text);
      return settingsOf("-readconfig", file);
    };
    const settings = await read(`
      [smbios]
      type = "1"
      serial = "abc"
      [fw_cfg]
      name = "opt/a"
      string = "b"
      [icount]
      shift = "3"
      [boot-opts]
      menu = "on"
      [name]
      guest = "g"
    `);
    assertEquals(settings.smbios.wishes.system?.serial, "abc");
    assertEquals([settings.firmwareFiles.map(({ name }) => name), settings.bootMenu, settings.name], [
      ["opt/a"],
      true,
      "g",
    ]);
    // What moa has no option for is refused as that option is, not as a group that nobody knows.
    for (const group of ["numa", "sandbox", "tpmdev", "spice", "vnc", "plugin", "msg", "overcommit", "action"]) {
      await Deno.writeTextFile(file, `[${group} "x"]\n`);
      const { error, code } = await said("moa", "-readconfig", file);
      assertEquals(code, 1, group);
      assertStringIncludes(error, `${file}:1: not available in moa: `, group);
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("listings go to standard output and end with 0", async () => {
  for (
    const args of [["-help"], ["-version"], ["-M", "help"], ["-device", "help"], ["-accel", "help"], ["-d", "help"]]
  ) {
    const { out, error, code } = await said("moa", ...args);
    assertEquals([code, error, out.length > 10], [0, "", true], args.join(" "));
  }
  const { out } = await said("qemu-system-x86_64", "-machine", "help");
  assertEquals(out.split("\n").at(-2), "pc-i440fx-7.2        Standard PC (i440FX + PIIX, 1996) (default)");
});

Deno.test("accelerators: kvm is refused in QEMU's words, a list goes on to the next", async () => {
  const { error, code } = await said("qemu-system-x86_64", "-accel", "kvm");
  assertEquals(
    [code, error],
    [
      1,
      "Could not access KVM kernel module: No such file or directory\n" +
      "qemu-system-x86_64: -accel kvm: failed to initialize kvm: No such file or directory\n",
    ],
  );
  const list = "-machine accel=kvm:tcg -nodefaults -monitor none".split(" ");
  const device = await said("qemu-system-x86_64", ...list, "-device", "nosuch");
  assertEquals(device.error.split("\n"), [
    "Could not access KVM kernel module: No such file or directory",
    "qemu-system-x86_64: -device nosuch: 'nosuch' is not a valid device model name",
    "",
  ]);
  // Drives are opened first.
  const drive = await said("qemu-system-x86_64", ...list, "nosuch.img");
  assertEquals(
    drive.error,
    "qemu-system-x86_64: nosuch.img: Could not open 'nosuch.img': No such file or directory\n",
  );
});

Deno.test("a seed is 64 bits in any base; of equal ones what is random is equal", () => {
  const seeds = ["5", "0x10", "010", " 5", "+5", "18446744073709551615"].map((text) => settingsOf("-seed", text).seed);
  assertEquals(seeds, [5, 16, 8, 5, 5, 2 ** 53 - 1]);
  assertEquals(settingsOf().seed, undefined);
  // Texts of qemu-system-x86_64 7.2.
  for (const text of ["09", "12abc", "18446744073709551616", "-0", "-1", "", "0x", "abc"]) {
    assertThrows(() => settingsOf("-seed", text), CommandLineError, `Invalid seed number: ${text}`);
  }
});

Deno.test("a debug console comes after all other devices, once", () => {
  const settings = settingsOf("-debugcon", "null", "-device", "isa-serial");
  completeMonitors(settings);
  const drivers = settings.devices.map(({ pairs }) => pairs.map(({ value }) => value).join());
  assertEquals(drivers, ["isa-serial", "isa-debugcon,debugcon,debugcon"]);
  assert(settings.chardevs.some(({ id }) => id === "debugcon"));
  // Texts of qemu-system-x86_64 7.2.
  for (
    const [args, message] of [
      [["-debugcon", "foo"], "'foo' is not a valid char driver"],
      [["-debugcon", "none"], "'none' is not a valid char driver"],
      [
        ["-debugcon", "null", "-debugcon", "null"],
        "attempt to add duplicate property 'debugcon' to object (type 'container')",
      ],
    ] as const
  ) assertThrows(() => settingsOf(...args), CommandLineError, message);
});

Deno.test("serial and parallel ports: defaults, -nographic, and what is refused", () => {
  const ports = (...args: string[]) => {
    const settings = settingsOf(...args);
    completeMonitors(settings);
    const { serials, parallels, chardevs, monitors } = settings;
    const kinds = chardevs.map(({ id, wish }) => `${id}=${wish.mux ? "mux " : ""}${wish.device.kind}`);
    return [serials, parallels, kinds.join(), monitors.map(({ chardev }) => chardev).join()];
  };
  const both = [["serial0"], ["parallel0"]];
  assertEquals(ports(), [...both, "serial0=vc,parallel0=vc,compat_monitor0=stdio", "compat_monitor0"]);
  assertEquals(ports("-nodefaults"), [[], [], "", ""]);
  assertEquals(ports("-nographic"), [...both, "serial0=mux stdio,parallel0=null", "serial0"]);
  assertEquals(ports("-nographic", "-monitor", "none"), [...both, "serial0=stdio,parallel0=null", ""]);
  assertEquals(ports("-nographic", "-serial", "null"), [
    ...both,
    "serial0=null,parallel0=null,compat_monitor0=stdio",
    "compat_monitor0",
  ]);
  assertEquals(ports("-serial", "none", "-serial", "mon:stdio", "-parallel", "none"), [
    [undefined, "serial1"],
    [undefined],
    "serial1=mux stdio",
    "serial1",
  ]);
  const late = (...args: string[]) => {
    const { message, hint } = settingsOf(...args).lateFailure!;
    return [message, hint];
  };
  assertEquals(late("-serial", "foo"), [
    "'foo' is not a valid char driver",
    "-serial foo: could not connect serial device to character backend 'foo'",
  ]);
  assertEquals(late(..."-parallel null -parallel null -parallel null -parallel null".split(" ")), [
    "too many parallel ports",
    undefined,
  ]);
});
