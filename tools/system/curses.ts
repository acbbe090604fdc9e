/**
 * `-display curses`: joins a machine's screen and consoles to the terminal that the program was started on.
 *
 * @module
 */
import { isGone, whileThere, writeAllSync } from "../../base/outputs.ts";
import { CursesDisplay, findCard, type Machine, ScreenError, VcChardev } from "../../machine/mod.ts";
import type { Vm } from "../../monitor/mod.ts";
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

const DRAW_EVERY_MS = 50;
const HOLD_NS = 10_000_000;

/** Refuses what does not go together with it. @throws CommandLineError */
export function checkCurses(settings: Settings): void {
  if (settings.display !== "curses") return;
  const advice = "A monitor or port may be on a console: -monitor vc, -serial vc.";
  if (settings.chardevs.some(({ wish }) => wish.device.kind === "stdio")) {
    throw new CommandLineError("cannot use stdio with -display curses", undefined, undefined, { advice });
  }
  if (settings.daemonOrigin !== undefined) throw new CommandLineError("curses display cannot be used with -daemonize");
  if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) {
    throw new CommandLineError("-display curses: standard input and output are no terminal");
  }
}

/** Shows `vm` on the terminal until it is disposed of, which leaves the terminal as it was found. */
export function openCurses(vm: Vm, settings: Settings): Disposable {
  const encoder = new TextEncoder();
  let size = { columns: 80, rows: 25 };
  const display = new CursesDisplay({
    size: () => {
      try {
        size = Deno.consoleSize();
      } catch { /* the terminal has gone: the signal that says so is on its way */ }
      return size;
    },
    write: (text) => writeAllSync(Deno.stdout, encoder.encode(text)),
    card: cardOf(vm.machine),
    consoles: consolesOf(vm, settings),
    press: (keys) => press(vm.machine, keys),
  });
  Deno.stdin.setRaw(true);
  display.open();
  void readKeys((bytes) => display.typed(bytes));
  const timer = setInterval(() => display.draw(), DRAW_EVERY_MS);
  const resized = () => display.resized();
  Deno.addSignalListener("SIGWINCH", resized);
  // A shell had the terminal meanwhile.
  const continued = () => {
    whileThere(() => Deno.stdin.setRaw(true));
    display.resized();
  };
  Deno.addSignalListener("SIGCONT", continued);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      Deno.removeSignalListener("SIGWINCH", resized);
      Deno.removeSignalListener("SIGCONT", continued);
      display.close();
      whileThere(() => Deno.stdin.setRaw(false));
    },
  };
}

/** Monitors come first, as QEMU counts them. */
function consolesOf(vm: Vm, { monitors }: Settings): VcChardev[] {
  const all = vm.chardevs.list.filter((device) => device instanceof VcChardev);
  const isMonitor = (device: VcChardev) => monitors.some(({ chardev }) => chardev === device.label);
  return [...all.filter(isMonitor), ...all.filter((device) => !isMonitor(device))];
}

/** What a guest does not take in the end is dropped. */
function press(machine: Machine, keys: readonly string[]): void {
  try {
    void machine.keyboard.stroke({ keys, holdNs: HOLD_NS });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

function cardOf(machine: Machine) {
  try {
    return findCard(machine);
  } catch (error) {
    if (error instanceof ScreenError) return undefined;
    throw error;
  }
}

async function readKeys(typed: (bytes: Uint8Array) => void): Promise<void> {
  try {
    for await (const bytes of Deno.stdin.readable) typed(bytes);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
