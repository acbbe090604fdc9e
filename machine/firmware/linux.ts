/**
 * `-kernel`, `-initrd`, `-append`: a Linux kernel laid out in memory by its boot protocol, handed over by fw_cfg.
 *
 * The firmware finds an option ROM among the files of fw_cfg (`linuxboot_dma.bin`, of QEMU's data folder), which copies
 * the pieces to their places and starts the kernel. Here the pieces are made: the real-mode part with its header filled
 * in, the kernel proper, the command line, the initial RAM disk.
 *
 * Left out: kernels before protocol 2.00 and `zImage`, multiboot, ELF (PVH), `-dtb`.
 *
 * Source: [LINUX] Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"; QEMU's docs/specs/fw_cfg.rst.
 *
 * @module
 */
import { MachineError } from "../errors.ts";
import type { UnpackedKernel } from "./linux_unpack.ts";

/** What the user gives. */
export interface LinuxFiles {
  /** For messages. */
  readonly kernelName: string;
  readonly kernel: Uint8Array<ArrayBuffer>;
  readonly initrd?: Uint8Array;
  readonly commandLine: string;
  /** The same kernel, which goes in instead where there is room for it. */
  readonly unpacked?: UnpackedKernel | undefined;
}

/** The pieces of a kernel, and where the loader puts them. */
export interface LinuxImage {
  readonly setup: Uint8Array;
  readonly setupAddress: number;
  readonly kernel: Uint8Array;
  readonly kernelAddress: number;
  readonly commandLine: Uint8Array;
  readonly commandLineAddress: number;
  readonly initrd: Uint8Array;
  readonly initrdAddress: number;
}

const SETUP_ADDRESS = 0x1_0000;
const COMMAND_LINE_ADDRESS = 0x2_0000;
const KERNEL_ADDRESS = 0x10_0000;
const SECTOR = 512;
const PAGE = 4096;
/** Kept free below the end of RAM for what firmware makes there: ACPI tables. */
export const TABLES_BYTES = 0x2_8000;
const OLD_INITRD_MAX = 0x37ff_ffff;

/** Offsets in the header. */
const Header = {
  setupSectors: 0x1f1,
  magic: 0x202,
  version: 0x206,
  loader: 0x210,
  loadFlags: 0x211,
  codeStart: 0x214,
  initrdAddress: 0x218,
  initrdSize: 0x21c,
  heapEnd: 0x224,
  commandLineAddress: 0x228,
  initrdMax: 0x22c,
  extendedFlags: 0x236,
} as const;

const MAGIC = 0x5372_6448; // "HdrS"
const QEMU_LOADER = 0xb0;
const LOADED_HIGH = 0x01;
const CAN_USE_HEAP = 0x80;
const KERNEL_64 = 0x01;

/**
 * Lays out a kernel for a machine whose RAM ends at `ramEnd` (below 4 GiB).
 *
 * @throws {MachineError} where it is no kernel, is one of 64 bits that the CPU does not run, or does not fit
 */
export function layOutLinux(files: LinuxFiles, ramEnd: number, can: { readonly longMode: boolean }): LinuxImage {
  const { kernelName, kernel: image, initrd = new Uint8Array(0) } = files;
  const setup = checkedSetup(kernelName, image, can);
  const view = new DataView(setup.buffer);
  const commandLine = encodeCommandLine(files.commandLine);
  const protocol = view.getUint16(Header.version, true);
  const initrdMax = Math.min(
    protocol >= 0x203 ? view.getUint32(Header.initrdMax, true) : OLD_INITRD_MAX,
    ramEnd - TABLES_BYTES - 1,
  );
  const initrdAddress = Math.floor((initrdMax - initrd.length) / PAGE) * PAGE;
  const { unpacked } = files;
  const isUnpacked = unpacked !== undefined &&
    unpacked.address + unpacked.neededBytes <= (initrd.length > 0 ? initrdAddress : ramEnd - TABLES_BYTES);
  if (isUnpacked) view.setUint32(Header.codeStart, unpacked.entry, true);
  const kernel = isUnpacked ? unpacked.bytes : image.subarray(setup.length);
  const kernelAddress = isUnpacked ? unpacked.address : KERNEL_ADDRESS;
  if (initrd.length > 0 && initrdAddress < kernelAddress + kernel.length) {
    throw new MachineError(`initrd is too large, cannot support.(max: ${initrdMax}, need ${initrd.length})`);
  }
  if (kernelAddress + kernel.length > ramEnd) {
    throw new MachineError(`kernel '${kernelName}' does not fit in ${ramEnd} bytes of RAM`);
  }
  view.setUint8(Header.loader, QEMU_LOADER);
  view.setUint8(Header.loadFlags, view.getUint8(Header.loadFlags) | CAN_USE_HEAP);
  view.setUint16(Header.heapEnd, COMMAND_LINE_ADDRESS - SETUP_ADDRESS - SECTOR, true);
  view.setUint32(Header.commandLineAddress, COMMAND_LINE_ADDRESS, true);
  view.setUint32(Header.initrdAddress, initrd.length === 0 ? 0 : initrdAddress, true);
  view.setUint32(Header.initrdSize, initrd.length, true);
  return {
    setup,
    setupAddress: SETUP_ADDRESS,
    kernel,
    kernelAddress,
    commandLine,
    commandLineAddress: COMMAND_LINE_ADDRESS,
    initrd,
    initrdAddress: initrd.length === 0 ? 0 : initrdAddress,
  };
}

/** A copy of the real-mode part. */
function checkedSetup(name: string, image: Uint8Array, can: { readonly longMode: boolean }): Uint8Array {
  const refuse = (why: string) => new MachineError(`could not load kernel '${name}': ${why}`);
  if (image.length < 0x260) throw refuse("it is too short");
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  if (view.getUint32(Header.magic, true) !== MAGIC) {
    throw refuse("it is no Linux kernel with a boot header (bzImage)");
  }
  const protocol = view.getUint16(Header.version, true);
  if (protocol < 0x202 || (view.getUint8(Header.loadFlags) & LOADED_HIGH) === 0) {
    throw refuse("its boot protocol is older than 2.02, or it is a zImage");
  }
  if (!can.longMode && protocol >= 0x20c && (view.getUint16(Header.extendedFlags, true) & KERNEL_64) !== 0) {
    throw refuse("it is a 64-bit kernel, and this CPU runs 32-bit code only; an i386 or i686 kernel would do");
  }
  const bytes = ((view.getUint8(Header.setupSectors) || 4) + 1) * SECTOR;
  if (bytes >= image.length) throw refuse("it is cut short");
  return image.slice(0, bytes);
}

/** Ended by a zero and padded to 16 bytes. */
function encodeCommandLine(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(Math.ceil((bytes.length + 1) / 16) * 16);
  padded.set(bytes);
  return padded;
}
