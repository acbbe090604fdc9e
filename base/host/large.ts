/**
 * Buffers in huge pages, for those who move whole disks: copying into ordinary memory, a page table entry for every
 * 4 KiB, takes up to two thirds longer in a virtual machine.
 *
 * The memory is mapped for the purpose and is no part of V8's heap. Where there is no C library it is ordinary memory.
 *
 * Source: mmap(2), madvise(2) MADV_HUGEPAGE.
 *
 * @module
 */
import { assert } from "../assert.ts";
import { hostLibrary } from "./libc.ts";

const HUGE_PAGE_BYTES = 2 * 1024 * 1024;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MADV_HUGEPAGE = 14;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Memory that is there until it is disposed of; whoever disposes sees to it that nobody uses a part of it any more. */
export class LargeMemory implements Disposable {
  readonly #buffer: ArrayBuffer;
  readonly #unmap: () => void;
  #used = 0;

  private constructor(buffer: ArrayBuffer, unmap: () => void) {
    this.#buffer = buffer;
    this.#unmap = unmap;
  }

  /** Room for `lengthBytes`, rounded up to whole huge pages; pages that are never written take nothing. */
  static map(lengthBytes: number): LargeMemory {
    const length = Math.ceil(lengthBytes / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES;
    const host = hostLibrary();
    const ordinary = () => new LargeMemory(new ArrayBuffer(length), () => {});
    if (host === undefined) return ordinary();
    // One page more, since the kernel aligns to small ones.
    const mapped = BigInt(length + HUGE_PAGE_BYTES);
    const pointer = host.symbols.mmap(null, mapped, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
    if (pointer === null || Deno.UnsafePointer.value(pointer) === MAP_FAILED) return ordinary();
    const base = Number(Deno.UnsafePointer.value(pointer));
    const aligned = Deno.UnsafePointer.create(BigInt(Math.ceil(base / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES));
    assert(aligned !== null, "mapped memory does not begin at 0");
    // A kernel without huge pages says so; small ones do as well.
    host.symbols.madvise(aligned, BigInt(length), MADV_HUGEPAGE);
    const buffer = Deno.UnsafePointerView.getArrayBuffer(aligned, length);
    return new LargeMemory(buffer, () => void host.symbols.munmap(pointer, mapped));
  }

  /** The next `lengthBytes` of it. */
  take(lengthBytes: number): Uint8Array<ArrayBuffer> {
    assert(this.#used + lengthBytes <= this.#buffer.byteLength, "large memory is used up");
    const bytes = new Uint8Array(this.#buffer, this.#used, lengthBytes);
    this.#used += lengthBytes;
    return bytes;
  }

  [Symbol.dispose](): void {
    this.#unmap();
  }
}
