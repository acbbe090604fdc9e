/**
 * Options for what this machine does not have (displays, network): "none" is
 * granted, what QEMU has is refused by name, what QEMU has not either is refused in its words.
 *
 * @module
 */
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

const DISPLAYS = ["gtk", "sdl", "egl-headless", "spice-app", "dbus", "vnc", "default", "cocoa"];
const VGAS = ["std", "cirrus", "vmware", "qxl", "virtio", "xenfb", "tcx", "cg3"];
const NETS = ["nic", "user", "tap", "l2tpv3", "socket", "stream", "dgram", "vde", "bridge", "hubport", "vhost-user"];
const NET_TYPES = [...NETS, "netmap", "vhost-vdpa"];

export function readDisplay(text: string, settings: Settings): void {
  const type = first(text);
  if (type === "none" || type === "curses") {
    settings.display = type;
    return;
  }
  if (type === "help") settings.listing ??= { kind: "display" };
  else if (DISPLAYS.includes(type)) {
    throw new CommandLineError(`there is no '${type}' display in moa (use none or curses)`);
  } else throw new CommandLineError(`Parameter 'type' does not accept value '${type}'`);
}

export function readVga(text: string, settings: Settings): void {
  if (text === "none" || text === "std") settings.vga = text;
  else if (text === "help") settings.listing ??= { kind: "vga" };
  else if (VGAS.includes(text)) {
    throw new CommandLineError(`-vga ${text}: there is no such graphics card in moa (use std or none)`);
  } else throw new CommandLineError(`unknown vga type: ${text}`);
}

/** `-net`, `-nic`, `-netdev`. */
export function readNet(option: string, text: string): void {
  const type = first(text);
  if (type === "none" && option !== "netdev") return;
  if (NET_TYPES.includes(type)) {
    const advice = option === "netdev" ? "" : " (use none)";
    throw new CommandLineError(`there is no network '${type}' in moa${advice}`);
  }
  throw new CommandLineError(`Parameter 'type' does not accept value '${type}'`);
}

function first(text: string): string {
  return /^(?:type=)?([^,]*)/.exec(text)![1]!;
}
