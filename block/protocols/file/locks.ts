/**
 * Image locks: how processes that open one image keep each other from what does not go together, as QEMU does it.
 *
 * Two bytes of the file belong to each permission: a shared lock on byte 100 + n says "I use permission n", one on byte
 * 200 + n says "I do not let others use it". Whoever wants a permission first takes these locks and then looks whether
 * anybody holds the opposite byte. Locks belong to the open file (OFD), so they end with it, and only with it.
 *
 * Source: QEMU's documentation of image locking and what its 7.2 programs show under strace.
 *
 * @module
 */
import { errnoText } from "../../../base/errno.ts";
import { F_RDLCK, F_UNLCK } from "../../../base/host/constants.ts";
import { queryLock, setLock } from "../../../base/host/files.ts";
import type { HostLibrary } from "../../../base/host/libc.ts";
import { BlockError } from "../../errors.ts";
import { ALL_PERMISSIONS } from "../../permissions.ts";
import { errnoOfResult } from "./results.ts";

const USED_BASE = 100;
const UNSHARED_BASE = 200;

/** By bit: the names that messages use. */
const NAMES = ["consistent read", "write", "write unchanged", "resize"] as const;

/** Whether the file system of `descriptor` has locks that belong to an open file. */
export function canLock(host: HostLibrary, descriptor: number): boolean {
  return queryLock(host, descriptor, 0, 0) >= 0;
}

/** The locks of one open file. */
export class ImageLocks {
  readonly #host: HostLibrary;
  readonly #path: string;
  #descriptor: number;
  /** What is locked now: bits of bytes 100 and of bytes 200. */
  #used = 0;
  #unshared = 0;

  constructor(host: HostLibrary, descriptor: number, path: string) {
    this.#host = host;
    this.#descriptor = descriptor;
    this.#path = path;
  }

  /**
   * Holds the locks for `used` permissions, with `shared` ones left to others, and no more.
   *
   * @throws BlockError with failure `locked` where another process stands against it; then nothing has changed
   */
  set(used: number, shared: number): void {
    const unshared = ALL_PERMISSIONS & ~shared;
    const before = { used: this.#used, unshared: this.#unshared };
    try {
      this.#apply(used | before.used, unshared | before.unshared);
      this.#checkOthers(used, unshared);
    } catch (error) {
      this.#apply(before.used, before.unshared);
      throw error;
    }
    this.#apply(used, unshared);
  }

  /** Takes the same locks for `descriptor`, which is open on the same file and takes over from the old one. */
  moveTo(descriptor: number): void {
    const { used, unshared } = { used: this.#used, unshared: this.#unshared };
    const old = this.#descriptor;
    this.#descriptor = descriptor;
    this.#used = 0;
    this.#unshared = 0;
    try {
      this.#apply(used, unshared);
    } catch (error) {
      this.#descriptor = old;
      this.#used = used;
      this.#unshared = unshared;
      throw error;
    }
  }

  /** Makes the locked bytes exactly these. */
  #apply(used: number, unshared: number): void {
    for (let bit = 0; bit < NAMES.length; bit++) {
      const mask = 1 << bit;
      if ((used ^ this.#used) & mask) {
        this.#change(USED_BASE + bit, (used & mask) !== 0);
        this.#used ^= mask;
      }
    }
    for (let bit = 0; bit < NAMES.length; bit++) {
      const mask = 1 << bit;
      if ((unshared ^ this.#unshared) & mask) {
        this.#change(UNSHARED_BASE + bit, (unshared & mask) !== 0);
        this.#unshared ^= mask;
      }
    }
  }

  #change(byte: number, locked: boolean): void {
    const result = setLock(this.#host, this.#descriptor, locked ? F_RDLCK : F_UNLCK, byte, 1);
    if (result === 0) return;
    const errno = errnoOfResult(result);
    const text = `Failed to ${locked ? "lock" : "unlock"} byte ${byte}: ${errnoText(errno)}`;
    throw new BlockError({ kind: "state", text, errno });
  }

  /** Looks whether others refuse what is used here, or use what is refused here. */
  #checkOthers(used: number, unshared: number): void {
    for (const [bit, name] of NAMES.entries()) {
      if (used & (1 << bit) && this.#isHeld(UNSHARED_BASE + bit)) this.#refuse(name, false);
    }
    for (const [bit, name] of NAMES.entries()) {
      if (unshared & (1 << bit) && this.#isHeld(USED_BASE + bit)) this.#refuse(name, true);
    }
  }

  #isHeld(byte: number): boolean {
    return queryLock(this.#host, this.#descriptor, byte, 1) > 0;
  }

  #refuse(permission: string, shared: boolean): never {
    throw new BlockError({ kind: "locked", path: this.#path, permission, shared });
  }
}
