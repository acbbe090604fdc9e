/**
 * The C library over Deno's foreign functions: opened once, when somebody first asks, and only with `--allow-ffi`.
 *
 * Deno makes machine code for each function when it is bound, a tenth of a millisecond each. What nearly every command
 * calls is bound at once; each of the others when it is first called.
 *
 * This is the one piece of state that the process shares. Every function returns what the C function returns, as a
 * 32-bit number where that is enough: transfers here stay below 2 GiB, and a signed 32-bit result of -1 reads the same.
 * What went wrong is then in {@link HostLibrary.errno}, valid until the next call.
 *
 * Left out: everything but Linux on x86-64, whose structures and call numbers these are. Elsewhere
 * {@link hostLibrary} answers `undefined`, as it does without permission.
 *
 * Source: the manual pages of section 2, and io_uring_setup(2) and io_uring_enter(2) for the two raw system calls.
 *
 * @module
 */

/** Bound at once: what opening, locking and reading a file takes, and what makes no machine code (the pool's). */
const COMMON = {
  __errno_location: { parameters: [], result: "pointer" },
  // variadic in C; on x86-64 the fixed form is the same call
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  preadv2: { parameters: ["i32", "buffer", "i32", "i64", "i32"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  fstatfs: { parameters: ["i32", "buffer"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  fcntl_int: { name: "fcntl", parameters: ["i32", "i32", "i64"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  // the same on Deno's pool of threads: nothing stands still meanwhile, but errno stays in the thread
  pread_pool: {
    name: "pread",
    parameters: ["i32", "buffer", "usize", "i64"],
    result: "i32",
    nonblocking: true,
  },
  preadv_pool: {
    name: "preadv",
    parameters: ["i32", "buffer", "i32", "i64"],
    result: "i32",
    nonblocking: true,
  },
  pwritev_pool: {
    name: "pwritev",
    parameters: ["i32", "buffer", "i32", "i64"],
    result: "i32",
    nonblocking: true,
  },
  copy_file_range_pool: {
    name: "copy_file_range",
    parameters: ["i32", "buffer", "i32", "buffer", "usize", "u32"],
    result: "i32",
    nonblocking: true,
  },
  fdatasync_pool: { name: "fdatasync", parameters: ["i32"], result: "i32", nonblocking: true },
  fallocate_pool: {
    name: "fallocate",
    parameters: ["i32", "i32", "i64", "i64"],
    result: "i32",
    nonblocking: true,
  },
  poll_pool: { name: "poll", parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
  ioctl_pool: { name: "ioctl", parameters: ["i32", "u64", "buffer"], result: "i32", nonblocking: true },
  io_uring_enter_pool: {
    name: "syscall",
    parameters: ["i64", "i32", "u32", "u32", "u32", "pointer", "usize"],
    result: "i32",
    nonblocking: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Bound when first called. */
const SELDOM = {
  dup: { parameters: ["i32"], result: "i32" },
  preadv: { parameters: ["i32", "buffer", "i32", "i64"], result: "i32" },
  pwritev: { parameters: ["i32", "buffer", "i32", "i64"], result: "i32" },
  fsync: { parameters: ["i32"], result: "i32" },
  fdatasync: { parameters: ["i32"], result: "i32" },
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  ioctl_int: { name: "ioctl", parameters: ["i32", "u64", "i64"], result: "i32" },
  posix_fadvise: { parameters: ["i32", "i64", "i64", "i32"], result: "i32" },
  copy_file_range: { parameters: ["i32", "buffer", "i32", "buffer", "usize", "u32"], result: "i32" },
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  getpriority: { parameters: ["i32", "u32"], result: "i32" },
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  posix_openpt: { parameters: ["i32"], result: "i32" },
  grantpt: { parameters: ["i32"], result: "i32" },
  unlockpt: { parameters: ["i32"], result: "i32" },
  ptsname_r: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  tcgetattr: { parameters: ["i32", "buffer"], result: "i32" },
  tcsetattr: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  cfmakeraw: { parameters: ["buffer"], result: "void" },
  io_uring_setup: { name: "syscall", parameters: ["i64", "u32", "buffer"], result: "i32" },
  io_uring_enter: {
    name: "syscall",
    parameters: ["i64", "i32", "u32", "u32", "u32", "pointer", "usize"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

const LIBRARY = "libc.so.6";

/** The C functions by name; those that end in `_pool` return a promise and leave no errno. */
export type HostSymbols = Deno.DynamicLibrary<typeof COMMON & typeof SELDOM>["symbols"];

/** The opened library. */
export interface HostLibrary {
  readonly symbols: HostSymbols;
  /** The error number that the last synchronous call left; it means something only if that call said that it failed. */
  errno(): number;
}

let opened: HostLibrary | null | undefined;

/** Why {@link hostLibrary} has nothing to give: no permission, or no Linux on x86-64. */
export function hostLibraryMissing(): "permission" | "platform" | undefined {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return "platform";
  return hostLibrary() === undefined ? "permission" : undefined;
}

/** The library, opened at the first call; `undefined` without `--allow-ffi` (nothing is asked of the user). */
export function hostLibrary(): HostLibrary | undefined {
  if (opened === undefined) opened = open();
  return opened ?? undefined;
}

function open(): HostLibrary | null {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return null;
  // `querySync` is asked first, since `dlopen` would prompt on a terminal
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
  const symbols = withSeldom(Deno.dlopen(LIBRARY, COMMON).symbols);
  const location = symbols.__errno_location();
  if (location === null) return null;
  const view = new Deno.UnsafePointerView(location);
  return { symbols, errno: () => view.getInt32(0) };
}

/**
 * Adds the functions of {@link SELDOM}: each binds itself, and takes its own place, when it is first called. The object
 * has all its properties from the start, so that code which has been compiled for it stays right.
 */
function withSeldom(common: Deno.DynamicLibrary<typeof COMMON>["symbols"]): HostSymbols {
  const symbols: Record<string, unknown> = { ...common };
  for (const [name, declaration] of Object.entries(SELDOM)) {
    symbols[name] = (...args: unknown[]) => {
      const bound = Deno.dlopen(LIBRARY, { [name]: declaration }).symbols[name] as (...args: unknown[]) => unknown;
      symbols[name] = bound;
      return bound(...args);
    };
  }
  return symbols as unknown as HostSymbols;
}

/** Binds all functions now, for tests: Deno's sanitizer takes a library that is opened inside a test for a leak. */
export function bindAll(): void {
  const library = hostLibrary();
  if (library === undefined) return;
  Object.assign(library.symbols, Deno.dlopen(LIBRARY, SELDOM).symbols);
}
