/**
 * What a script says of the machine that it wants.
 *
 * @module
 */
import type { Clocks } from "../../base/clocks.ts";
import type { Random } from "../../base/random.ts";
import type { CharBackend } from "../../machine/mod.ts";

/** A machine. Everything has QEMU's default where it is absent. */
export interface VmOptions {
  /**
   * What runs the guest's code. `qtest`, the default, is no CPU: the script plays the guest ({@link IdeGuest} and its
   * like) and moves the clock. `v86` boots what is on the disks.
   */
  readonly accel?: "qtest" | "v86";
  /** `-icount`: with `v86`, time goes by instructions, 2^shift ns each. */
  readonly icount?: { readonly shift: number; readonly sleep: boolean };
  /**
   * The firmware's bytes, or `"built-in"` for moa's own. By default SeaBIOS where it is found (Debian's package
   * `seabios`, QEMU's data folders), else moa's own.
   */
  readonly bios?: Uint8Array | "built-in";
  /** A Linux kernel to boot instead of what is on the disks, with `v86`: `-kernel`, `-initrd`, `-append`. */
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  /** MiB of RAM; 128 by default. */
  readonly memory?: number;
  /** Disks on the four places of the IDE controller, as `-hda` to `-hdd`. */
  readonly hda?: string;
  readonly hdb?: string;
  readonly hdc?: string;
  readonly hdd?: string;
  /** A CD in the third place, as `-cdrom`. */
  readonly cdrom?: string;
  /** Floppies, as `-fda` and `-fdb`. */
  readonly fda?: string;
  readonly fdb?: string;
  /** Each as behind `-object`: `"secret,id=s0,file=passphrase"`, for drives that are encrypted. */
  readonly objects?: readonly string[];
  /** Each as behind `-chardev`, or one that the script itself plays the other end of. */
  readonly chardevs?: readonly (string | CharBackend)[];
  /**
   * Serial ports from COM1 on, each as behind `-serial`: `"file:log.txt"`, `"none"` for a port that is not there;
   * `"script"` for one that the script talks over. One of these by default, none with `nodefaults`.
   */
  readonly serial?: readonly string[];
  /** The graphics card; `std` by default, none with `nodefaults`. */
  readonly vga?: "std" | "none";
  /** Each as behind `-drive`: `"file=a.qcow2,if=none,id=d0"`. */
  readonly drives?: readonly string[];
  /** Each as behind `-blockdev`. */
  readonly blockdevs?: readonly string[];
  /** Each as behind `-device`: `"ide-hd,drive=d0,serial=X"`. */
  readonly devices?: readonly string[];
  /** Writes go to temporary overlays, as with `-snapshot`. */
  readonly snapshot?: boolean;
  /** No CD, floppy and SD drives but those asked for: `-nodefaults`. */
  readonly nodefaults?: boolean;
  /** Letters of the boot order; `cad` by default. */
  readonly boot?: string;
  /** The order until the first reset: `-boot once=`. */
  readonly bootOnce?: string;
  /** A menu at the start (`-boot menu=on`), offered for `splashTimeMs`: 2.5 s where that is absent. */
  readonly bootMenu?: boolean;
  readonly splashTimeMs?: number;
  /** Only devices with a `bootindex` are booted, where there are any: `-boot strict=on`. */
  readonly strictBoot?: boolean;
  /** Milliseconds until a machine that found nothing to boot starts again: `-boot reboot-timeout=`; never where absent. */
  readonly rebootTimeoutMs?: number;
  readonly name?: string;
  readonly uuid?: string;
  /** Each as behind `-smbios`: `"type=1,serial=12345"`, what the guest reads of makers and serial numbers. */
  readonly smbios?: readonly string[];
  /** Option ROMs, which the firmware starts before it boots: `-option-rom`, by the name that the firmware sees. */
  readonly optionRoms?: readonly {
    readonly name: string;
    readonly content: Uint8Array;
    readonly bootIndex?: number;
  }[];
  /** The guest's reset ends the machine (event `SHUTDOWN`), as with `-no-reboot`. */
  readonly noReboot?: boolean;
  /** Stands still until `cont`, as with `-S`. */
  readonly paused?: boolean;
  /** A snapshot to go back to before the start. */
  readonly loadvm?: string;
  /** QEMU's text to the letter: no hints of moa's own. */
  readonly strict?: boolean;
  /** One seed, one run: replaces the host's randomness. */
  readonly seed?: number;
  /** Instead of the host's; the virtual clock is the accelerator's. */
  readonly clocks?: Clocks;
  readonly random?: Random;
  /** Takes messages for the user, one line each; standard error by default. */
  readonly warn?: (text: string) => void;
}

/** What {@link import("../vm.ts").Vm.setIoThrottle} limits: bytes (`Bps`) and requests (`Iops`) a second. */
export interface IoLimits {
  readonly bps?: number;
  readonly readBps?: number;
  readonly writeBps?: number;
  readonly iops?: number;
  readonly readIops?: number;
  readonly writeIops?: number;
}
