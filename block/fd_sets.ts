/**
 * Sets of descriptors that somebody else opened: a file called `/dev/fdset/N` is one of set N, the one that was opened
 * for what is wanted.
 *
 * So a program that may open nothing itself can work on images that its parent opened. A set keeps descriptors of its
 * own (duplicates), and each node that opens one gets another.
 *
 * Left out: receiving descriptors over a socket, since Deno's sockets do not hand them out.
 *
 * Source: QEMU's documentation of `-add-fd`; qapi/misc.json; the texts are 7.2's.
 *
 * @module
 */
import { errnoText } from "../base/errno.ts";
import { F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, O_ACCMODE } from "../base/host/constants.ts";
import { closeDescriptor, retry } from "../base/host/files.ts";
import { type HostLibrary, hostLibrary } from "../base/host/libc.ts";
import { BlockError } from "./errors.ts";

const PREFIX = "/dev/fdset/";
/** Below are the program's own input and outputs. */
const FIRST_FREE = 3;
const FD_CLOEXEC = 1;

/** One descriptor of a set. */
export interface SetMember {
  readonly fd: number;
  /** What the user noted about it. */
  readonly opaque: string | undefined;
}

/** All sets of one program. */
export class FdSets implements Disposable {
  readonly #sets = new Map<number, SetMember[]>();
  /** Inherited numbers that were duplicated, to be closed. */
  readonly #inherited = new Set<number>();

  /** The sets, the highest number first, as `query-fdsets` tells them. */
  get list(): readonly { readonly set: number; readonly members: readonly SetMember[] }[] {
    return [...this.#sets].sort(([a], [b]) => b - a).map(([set, members]) => ({ set, members }));
  }

  /** Takes in a descriptor that this process inherited. @throws {BlockError} where it is none */
  add(set: number, descriptor: number, opaque?: string): void {
    if (descriptor < FIRST_FREE) throw refusal("fd cannot be a standard I/O stream");
    const host = requireLibrary();
    const flags = control(host, descriptor, F_GETFD, 0);
    // What this process opened by itself closes itself at the start of another.
    if (flags < 0 || (flags & FD_CLOEXEC) !== 0) throw refusal("fd is not valid or already in use");
    const own = control(host, descriptor, F_DUPFD_CLOEXEC, FIRST_FREE);
    if (own < 0) throw refusal("error duplicating fd");
    this.#inherited.add(descriptor);
    const members = this.#sets.get(set);
    if (members === undefined) this.#sets.set(set, [{ fd: own, opaque }]);
    else members.push({ fd: own, opaque });
  }

  /** All have been taken in: the numbers that they came under are free again. */
  closeInherited(): void {
    const host = hostLibrary();
    for (const descriptor of this.#inherited) if (host !== undefined) closeDescriptor(host, descriptor);
    this.#inherited.clear();
  }

  /** Drops a set, or one of its descriptors; who has opened it keeps it. @throws {BlockError} */
  remove(set: number, fd?: number): void {
    const members = this.#sets.get(set);
    const gone = members?.filter((member) => fd === undefined || member.fd === fd) ?? [];
    if (members === undefined || gone.length === 0) {
      const what = `fdset-id:${set}${fd === undefined ? "" : `, fd:${fd}`}`;
      throw refusal(`File descriptor named '${what}' not found`);
    }
    const host = hostLibrary();
    for (const member of gone) if (host !== undefined) closeDescriptor(host, member.fd);
    const left = members.filter((member) => !gone.includes(member));
    if (left.length === 0) this.#sets.delete(set);
    else this.#sets.set(set, left);
  }

  /**
   * A descriptor for `path`, where that names a set; `undefined` for other names. `flags` are open's.
   * @throws {BlockError} where the set has none that was opened so
   */
  open(host: HostLibrary, path: string, flags: number): number | undefined {
    if (!path.startsWith(PREFIX)) return undefined;
    const number = /^(\d{1,9})$/.exec(path.slice(PREFIX.length))?.[1];
    if (number === undefined) throw refusal(`Could not parse fdset ${path}`);
    const members = this.#sets.get(Number(number));
    const found = members?.find(({ fd }) => (control(host, fd, F_GETFL, 0) & O_ACCMODE) === (flags & O_ACCMODE));
    const descriptor = found === undefined ? -1 : control(host, found.fd, F_DUPFD_CLOEXEC, FIRST_FREE);
    if (descriptor >= 0) return descriptor;
    const errno = members === undefined ? "ENOENT" : found === undefined ? "EACCES" : "EMFILE";
    const text = `Could not dup FD for ${path} flags ${flags.toString(16)}: ${errnoText(errno)}`;
    throw new BlockError({ kind: "state", text, errno });
  }

  [Symbol.dispose](): void {
    this.closeInherited();
    for (const { set } of this.list) this.remove(set);
  }
}

function control(host: HostLibrary, descriptor: number, command: number, argument: number): number {
  return retry(host, () => host.symbols.fcntl_int(descriptor, command, BigInt(argument)));
}

function requireLibrary(): HostLibrary {
  const host = hostLibrary();
  if (host === undefined) throw refusal("inherited descriptors need --allow-ffi on Linux x86-64");
  return host;
}

function refusal(text: string): BlockError {
  return new BlockError({ kind: "state", text });
}
