/**
 * Bytes of a file in pages that copies share until one of them is written: power is lost thousands of times, and each
 * time the whole file is kept as it was. A page that holds zeroes only need not be there.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";

const PAGE_BYTES = 4096;

/** Bytes from 0 on, zeroes where nothing was written. */
export class Pages {
  #pages: (Uint8Array | undefined)[] = [];
  /** Those that no copy shares. */
  #own = new Set<Uint8Array>();

  static of(bytes: Uint8Array): Pages {
    const pages = new Pages();
    pages.write(0, bytes);
    return pages;
  }

  /** The same bytes, which from now on change apart. */
  copy(): Pages {
    const other = new Pages();
    other.#pages = this.#pages.slice();
    this.#own.clear();
    return other;
  }

  read(at: number, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const inPage = (at + done) % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - inPage, into.length - done);
      let index = Math.floor((at + done) / PAGE_BYTES);
      const page = this.#pages[index];
      if (page !== undefined) {
        into.set(length === PAGE_BYTES ? page : page.subarray(inPage, inPage + length), done);
        done += length;
        continue;
      }
      // Missing pages lie side by side.
      const last = Math.floor((at + into.length - 1) / PAGE_BYTES);
      while (index < last && this.#pages[index + 1] === undefined) index++;
      const end = Math.min((index + 1) * PAGE_BYTES - at, into.length);
      into.fill(0, done, end);
      done = end;
    }
  }

  slice(at: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    this.read(at, bytes);
    return bytes;
  }

  write(at: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const index = Math.floor((at + done) / PAGE_BYTES);
      const inPage = (at + done) % PAGE_BYTES;
      const piece = bytes.subarray(done, done + Math.min(PAGE_BYTES - inPage, bytes.length - done));
      if (this.#pages[index] !== undefined || !IoVector.of(piece).isZero()) this.#ownPage(index).set(piece, inPage);
      done += piece.length;
    }
  }

  /** Zeroes from `at` to `end`. */
  clear(at: number, end: number): void {
    for (let start = at; start < end;) {
      const index = Math.floor(start / PAGE_BYTES);
      const stop = Math.min(end, (index + 1) * PAGE_BYTES);
      if (stop - start === PAGE_BYTES) this.#pages[index] = undefined;
      else if (this.#pages[index] !== undefined) {
        this.#ownPage(index).fill(0, start % PAGE_BYTES, start % PAGE_BYTES + stop - start);
      }
      start = stop;
    }
  }

  /** Zeroes from `size` on. */
  cut(size: number): void {
    this.clear(size, Math.max(size, this.#pages.length * PAGE_BYTES));
  }

  #ownPage(index: number): Uint8Array {
    const page = this.#pages[index];
    if (page !== undefined && this.#own.has(page)) return page;
    const own = page === undefined ? new Uint8Array(PAGE_BYTES) : page.slice();
    this.#own.add(own);
    return this.#pages[index] = own;
  }
}

/** What a file holds. */
export interface FileContent {
  readonly pages: Pages;
  readonly size: number;
}

/** All of its bytes. */
export function bytesOf({ pages, size }: FileContent): Uint8Array<ArrayBuffer> {
  return pages.slice(0, size);
}
