/**
 * Options for what this machine does not have (displays, network): "none" is
 * granted, what QEMU has is refused by name, what QEMU has not either is refused in its words.
 *
 * @module
 */
import { parseBool } from "../../base/keyval.ts";
import { parseKeyval } from "../../base/keyval_tree.ts";
import { CommandLineError } from "./arguments.ts";
import type { Settings } from "./settings.ts";

const DISPLAYS = ["gtk", "sdl", "egl-headless", "spice-app", "dbus", "vnc", "default", "cocoa"];
const VGAS = ["std", "cirrus", "vmware", "qxl", "virtio", "xenfb", "tcx", "cg3"];
const NETS = ["nic", "user", "tap", "l2tpv3", "socket", "stream", "dgram", "vde", "bridge", "hubport", "vhost-user"];
const NET_TYPES = [...NETS, "netmap", "vhost-vdpa"];

export function readDisplay(text: string, settings: Settings): void {
  const type = first(text);
  if (type === "none" || type === "curses") {
    checkDisplayOptions(type, text);
    settings.display = type;
    return;
  }
  if (type === "help") settings.listing ??= { kind: "display" };
  else if (DISPLAYS.includes(type)) {
    throw new CommandLineError(`there is no '${type}' display in moa (use none or curses)`);
  } else throw new CommandLineError(`Parameter 'type' does not accept value '${type}'`);
}

/** What may be said of a display and has no effect on these. */
const DISPLAY_SWITCHES = ["full-screen", "window-close", "show-cursor"];
const GL_MODES = ["off", "on", "core", "es"];

function checkDisplayOptions(type: "none" | "curses", text: string): void {
  for (const [name, value] of Object.entries(parseKeyval(text, { impliedKey: "type" }).tree)) {
    if (name === "type" || (name === "charset" && type === "curses")) continue;
    if (DISPLAY_SWITCHES.includes(name)) parseBool(String(value), name);
    else if (name !== "gl") throw new CommandLineError(`Parameter '${name}' is unexpected`);
    else if (!GL_MODES.includes(String(value))) {
      throw new CommandLineError(`Parameter 'gl' does not accept value '${value}'`);
    }
  }
}

export function readVga(text: string, settings: Settings): void {
  if (text === "none" || text === "std") settings.vga = text;
  else if (text === "help") settings.listing ??= { kind: "vga" };
  else if (VGAS.includes(text)) {
    throw new CommandLineError(`there is no such graphics card in moa (use std or none)`);
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
