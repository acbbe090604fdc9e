/**
 * Int 19h: what the machine starts from, in the order that the user gave; int 18h: what was started gives up, the next.
 *
 * A kernel that the user gave comes first. Floppies and disks give their first sector, CDs what their boot catalog
 * names: code that is loaded, or a disk that is emulated from then on.
 *
 * Where nothing is left the machine stands still, or is reset after `-boot reboot-timeout=`.
 *
 * Left out: network, but by an option ROM.
 *
 * Source: [IBM AT TR] "Bootstrap"; El Torito 1.0, 2 and figures 1 to 4.
 *
 * @module
 */
import { NS_PER_MS } from "../../../base/units.ts";
import { BlockError } from "../../../block/mod.ts";
import type { LinuxImage } from "../linux.ts";
import { type BootOrder, PLACE_NAMES } from "./boot_order.ts";
import type { FirmwareCall } from "./call.ts";
import type { DiskService } from "./disk.ts";
import { CD_BLOCK_BYTES, emulatedNumber, emulatedShape } from "./emulation.ts";
import { BDA, EXTENDED_AREA, type FirmwareDisk, type FirmwareSite } from "./site.ts";
import { ROM_SEGMENT } from "./rom.ts";
import type { VideoService } from "./video.ts";

/** [LINUX] boot protocol: where in the real-mode part its code begins. */
const SETUP_ENTRY = 0x200;
const LOAD_ADDRESS = 0x7c00;
const SIGNATURE = 0xaa55;
const BOOT_RECORD_BLOCK = 17;
const CATALOG_AT = 71;
const BOOTABLE = 0x88;
/** 512 bytes, as the catalog counts them. */
const VIRTUAL_SECTOR = 512;
/** The most that is loaded: up to the video memory. */
const MAX_LOADED_BYTES = 0x90000;

/** Stands for no attempt that is left. */
const NO_ATTEMPT = 0xff;
/** The keyboard controller's line that resets the machine. */
const RESET = { port: 0x64, pulse: 0xfe } as const;

/** The service. */
export class BootService {
  readonly #site: FirmwareSite;
  readonly #order: BootOrder;
  readonly #disks: DiskService;
  readonly #video: VideoService;

  constructor(site: FirmwareSite, order: BootOrder, disks: DiskService, video: VideoService) {
    this.#site = site;
    this.#order = order;
    this.#disks = disks;
    this.#video = video;
  }

  /** Int 19h: returns into what was loaded. */
  start(call: FirmwareCall): Promise<void> {
    return this.#from(call, 0);
  }

  /** Int 18h: goes on with what comes after, if anything does. */
  next(call: FirmwareCall): void | "sleep" | Promise<void> {
    const attempt = this.#site.memory.readValue(EXTENDED_AREA.bootAttempt, 1);
    return attempt === NO_ATTEMPT ? this.#nothing(call) : this.#from(call, attempt + 1);
  }

  /** The interrupt frame of whoever called is given up: what is started has a stack of its own. */
  async #from(call: FirmwareCall, first: number): Promise<void> {
    const { memory, kernel, bootRom, giveUp } = this.#site;
    this.#disks.emulation.end();
    for (const [index, place] of this.#order.attempts().entries()) {
      if (index < first) continue;
      memory.writeValue(EXTENDED_AREA.bootAttempt, 1, index);
      this.#video.print(`Booting from ${PLACE_NAMES[place.kind]}...\r\n`);
      if (place.kind === "kernel") return this.#startKernel(call, kernel!);
      if (place.kind === "rom") {
        memory.writeValue(EXTENDED_AREA.romEntry, 2, place.rom.bootstrap);
        memory.writeValue(EXTENDED_AREA.romEntry + 2, 2, place.rom.segment);
        return call.returnTo(ROM_SEGMENT, bootRom);
      }
      const problem = await this.#attempt(call, place.kind, place.number);
      if (problem === undefined) return;
      this.#video.print(`Boot failed: ${problem}\r\n\r\n`);
    }
    memory.writeValue(EXTENDED_AREA.bootAttempt, 1, NO_ATTEMPT);
    call.returnTo(ROM_SEGMENT, giveUp);
  }

  /** Says so, and stands still; or waits for as long as the user said, and resets the machine. */
  #nothing(call: FirmwareCall): void | "sleep" {
    const { clock, files, ports, stand } = this.#site;
    if (call.memo === 0) {
      const wait = files("etc/boot-fail-wait");
      const waitMs = wait === undefined || wait.length < 4 ? -1 : new DataView(wait.slice().buffer).getInt32(0, true);
      this.#video.print("No bootable device.");
      if (waitMs < 0) {
        this.#video.print("\r\n");
        return call.returnTo(ROM_SEGMENT, stand);
      }
      this.#video.print(`  Retrying in ${Math.floor(waitMs / 1000)} seconds.\r\n`);
      call.memo = clock.nowNs() + waitMs * NS_PER_MS;
    }
    if (clock.nowNs() < call.memo) return "sleep";
    this.#video.print("Rebooting.\r\n");
    call.returnTo(ROM_SEGMENT, stand);
    ports.writeValue(RESET.port, 1, RESET.pulse);
  }

  /** Puts a kernel's pieces in place and enters its setup code, which makes itself a stack. */
  #startKernel(call: FirmwareCall, kernel: LinuxImage): void {
    const { memory } = this.#site;
    memory.write(kernel.setupAddress, kernel.setup);
    memory.write(kernel.kernelAddress, kernel.kernel);
    memory.write(kernel.commandLineAddress, kernel.commandLine);
    if (kernel.initrd.length > 0) memory.write(kernel.initrdAddress, kernel.initrd);
    const segment = kernel.setupAddress / 16;
    call.ds = segment;
    call.es = segment;
    call.returnTo(segment + SETUP_ENTRY / 16, 0);
  }

  /** Loads from a drive and points `call` at it; why it cannot, otherwise. */
  async #attempt(call: FirmwareCall, kind: FirmwareDisk["kind"], number: number): Promise<string | undefined> {
    const disk = this.#disks.find(number);
    if (disk === undefined || !disk.backend.isInserted) return "could not read the boot disk";
    try {
      return kind === "cd" ? await this.#startCd(call, disk, number) : await this.#startDisk(call, disk, number);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      return "could not read the boot disk";
    }
  }

  async #startDisk(call: FirmwareCall, disk: FirmwareDisk, number: number): Promise<string | undefined> {
    if (disk.backend.sizeBytes < VIRTUAL_SECTOR) return "could not read the boot disk";
    await this.#disks.load(disk, 0, 1, LOAD_ADDRESS, VIRTUAL_SECTOR);
    if (this.#site.memory.readValue(LOAD_ADDRESS + 510, 2) !== SIGNATURE) return "not a bootable disk";
    this.#enter(call, 0, LOAD_ADDRESS, number);
    return undefined;
  }

  async #startCd(call: FirmwareCall, disk: FirmwareDisk, number: number): Promise<string | undefined> {
    const { memory } = this.#site;
    const blockBytes = this.#disks.blockBytes(disk);
    const read = async (block: number) => {
      if ((block + 1) * blockBytes > disk.backend.sizeBytes) return undefined;
      await this.#disks.load(disk, block, 1, LOAD_ADDRESS, blockBytes);
      const bytes = new Uint8Array(blockBytes);
      memory.read(LOAD_ADDRESS, bytes);
      return bytes;
    };
    const record = await read(BOOT_RECORD_BLOCK);
    const isBootRecord = record !== undefined && record[0] === 0 &&
      new TextDecoder().decode(record.subarray(1, 6)) === "CD001" &&
      new TextDecoder().decode(record.subarray(7, 30)) === "EL TORITO SPECIFICATION";
    if (!isBootRecord) return "could not read from CDROM (code 0003)";
    const catalog = await read(new DataView(record.buffer).getUint32(CATALOG_AT, true));
    if (catalog === undefined || catalog[0] !== 1 || catalog[30] !== 0x55 || catalog[31] !== 0xaa) {
      return "could not read from CDROM (code 0008)";
    }
    if (catalog[32] !== BOOTABLE) return "could not read from CDROM (code 000b)";
    const view = new DataView(catalog.buffer);
    const segment = view.getUint16(34, true) || LOAD_ADDRESS / 16;
    const media = catalog[33]! & 0x0f;
    if (media !== 0) {
      return await this.#startEmulated(call, disk, { media, cd: number, segment, block: view.getUint32(40, true) });
    }
    const bytes = Math.min(Math.max(view.getUint16(38, true), 1) * VIRTUAL_SECTOR, MAX_LOADED_BYTES);
    const block = view.getUint32(40, true);
    const blocks = Math.ceil(bytes / blockBytes);
    if ((block + blocks) * blockBytes > disk.backend.sizeBytes) return "could not read from CDROM (code 000c)";
    await this.#disks.load(disk, block, blocks, segment * 16, blockBytes);
    this.#enterLoaded(call, segment, number);
    return undefined;
  }

  /** A floppy or disk in a part of the CD: its first sector is started as one of a real disk. */
  async #startEmulated(
    call: FirmwareCall,
    cd: FirmwareDisk,
    image: { readonly media: number; readonly cd: number; readonly segment: number; readonly block: number },
  ): Promise<string | undefined> {
    if ((image.block + 1) * CD_BLOCK_BYTES > cd.backend.sizeBytes) return "could not read from CDROM (code 000c)";
    await this.#disks.load(cd, image.block, 1, LOAD_ADDRESS, CD_BLOCK_BYTES);
    const first = new Uint8Array(VIRTUAL_SECTOR);
    this.#site.memory.read(LOAD_ADDRESS, first);
    const shape = emulatedShape(image.media, first);
    if (shape === undefined) return "the CD's catalog asks for a disk whose shape is not known";
    this.#site.memory.write(image.segment * 16, first);
    this.#disks.emulation.start({ ...image, shape, loadSegment: image.segment });
    this.#enterLoaded(call, image.segment, emulatedNumber(image));
    return undefined;
  }

  /** A loader at the usual place is entered there by the offset, as other firmware does. */
  #enterLoaded(call: FirmwareCall, segment: number, number: number): void {
    if (segment === LOAD_ADDRESS / 16) this.#enter(call, 0, LOAD_ADDRESS, number);
    else this.#enter(call, segment, 0, number);
  }

  #enter(call: FirmwareCall, segment: number, offset: number, number: number): void {
    call.dx = number;
    call.ax = SIGNATURE;
    call.ds = 0;
    call.es = 0;
    call.returnTo(segment, offset);
    this.#site.memory.writeValue(BDA.midnight, 1, 0);
  }
}
