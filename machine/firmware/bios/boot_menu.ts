/**
 * The boot menu (`-boot menu=on`): a while to ask for it, then a list of what can be started.
 *
 * Left out: pictures (`splash=`), names of hardware (a drive shows moa's name for it).
 *
 * Source: QEMU's documentation, "-boot"; SeaBIOS's documentation, "etc/boot-menu-wait"; behaviour of SeaBIOS 1.16.
 *
 * @module
 */
import { formatSize } from "../../../base/sizes.ts";
import { NS_PER_MS } from "../../../base/units.ts";
import { type BootOrder, type BootPlace, PLACE_NAMES } from "./boot_order.ts";
import type { FirmwareCall } from "./call.ts";
import type { KeyboardService } from "./keyboard.ts";
import { BDA, type FirmwareSite } from "./site.ts";
import type { VideoService } from "./video.ts";

const DEFAULT_WAIT_MS = 2500;
/** What is pressed for each place. */
const CHOICES = "123456789abcdefghijklmnopqrstuvwxyz";
/** Keys looked at in one go: more than the buffer holds, however its pointers stand. */
const MAX_KEYS = 16;
const ESCAPE = 0x1b;
const F12_WORD = 0x8600;
const LINE_STATUS = 5;
const DATA_READY = 0x01;
/** What a call remembers: until when it waits, in nanoseconds, or that the list is shown. */
const SHOWN = -1;

/** The menu. */
export class BootMenu {
  readonly #site: FirmwareSite;
  readonly #order: BootOrder;
  readonly #keyboard: KeyboardService;
  readonly #video: VideoService;

  constructor(site: FirmwareSite, order: BootOrder, keyboard: KeyboardService, video: VideoService) {
    this.#site = site;
    this.#order = order;
    this.#keyboard = keyboard;
    this.#video = video;
  }

  /** The ROM's call before it boots: comes back when nobody wants the menu, or has chosen. */
  ask(call: FirmwareCall): void | "sleep" {
    const { bootMenu, clock, files } = this.#site;
    if (!bootMenu) return;
    if (call.memo === 0) {
      const wait = files("etc/boot-menu-wait");
      const waitMs = wait === undefined || wait.length < 2 ? DEFAULT_WAIT_MS : wait[0]! | (wait[1]! << 8);
      if (waitMs === 0) return;
      this.#video.print("Press ESC or F12 for the boot menu.\r\n\r\n");
      call.memo = clock.nowNs() + waitMs * NS_PER_MS;
    }
    for (let keys = 0; keys < MAX_KEYS; keys++) {
      const key = this.#key();
      if (key === undefined) break;
      const wantsMenu = (key & 0xff) === ESCAPE || key === F12_WORD;
      if (call.memo !== SHOWN) {
        if (wantsMenu) call.memo = this.#show();
        continue;
      }
      const index = CHOICES.indexOf(String.fromCharCode(key & 0xff).toLowerCase());
      if (!wantsMenu && (index < 0 || index >= this.#order.places().length)) continue;
      if (!wantsMenu) this.#order.pick(index);
      this.#video.print("\r\n\r\n");
      return;
    }
    if (call.memo === SHOWN || clock.nowNs() < call.memo) return "sleep";
  }

  #show(): number {
    this.#video.print("Select what to boot (ESC: the order as it is):\r\n\r\n");
    for (const [index, place] of this.#order.places().slice(0, CHOICES.length).entries()) {
      this.#video.print(`${CHOICES[index]}. ${described(place)}\r\n`);
    }
    this.#video.print("\r\n> ");
    return SHOWN;
  }

  /** The next key: scan code above, character below; without a display a character from the first serial port too. */
  #key(): number | undefined {
    const { memory, ports, toSerial } = this.#site;
    const key = this.#keyboard.take();
    if (key !== undefined || !toSerial) return key;
    const port = memory.readValue(BDA.serialPorts, 2);
    if (port === 0 || (ports.readValue(port + LINE_STATUS, 1) & DATA_READY) === 0) return undefined;
    return ports.readValue(port, 1);
  }
}

function described(place: BootPlace): string {
  if (place.kind === "kernel") return "Linux kernel [-kernel]";
  if (place.kind === "rom") return `Option ROM [${place.rom.name || `${place.rom.segment.toString(16)}0h`}]`;
  const { backend } = place.disk;
  const medium = backend.isInserted ? formatSize(backend.sizeBytes) : "empty";
  return `${PLACE_NAMES[place.kind]} [${backend.name}, ${medium}]`;
}
