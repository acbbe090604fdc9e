/**
 * The kinds of argument that a command may take, each with the letter that HMP's grammar knows it by.
 *
 * A command declares its arguments once, in the order in which they are typed at the prompt. From that follow the HMP
 * parser, completion, and the type of what `run` is given.
 *
 * @module
 */

/** How many units of data, in what shape: the `/4xb` of `x /4xb 0`. */
export interface DataFormat {
  readonly count: number;
  /** `i` is instructions, `c` characters, the others numbers by base. */
  readonly format: "x" | "d" | "u" | "o" | "i" | "c";
  /** 1, 2, 4 or 8; -1 after `i` named no size. */
  readonly sizeBytes: number;
}

/** Letters of HMP's grammar: what an argument is. */
export type ArgumentKind =
  /** A block device's name. */
  | "B"
  /** A file's name. */
  | "F"
  /** One word, or a quoted string. */
  | "s"
  /** The rest of the line. */
  | "S"
  /** An option string, `key=value,...`. */
  | "O"
  /** An expression of 32 bits. */
  | "i"
  /** An expression of 64 bits. */
  | "l"
  /** A size in bytes; without a suffix in MiB. */
  | "o"
  /** A {@link DataFormat}. */
  | "/"
  /** `on` or `off`. */
  | "b"
  /** A switch, `-x`. */
  | "-";

/** One declared argument. `T` is what `run` gets; it exists in the types only. */
export interface Argument<T, Optional extends boolean = boolean> {
  readonly kind: ArgumentKind;
  readonly optional: Optional;
  /** The switch's letter. */
  readonly letter?: string;
  /** The switch is followed by a word, which is its value. */
  readonly takesWord?: boolean;
  /** What must stand before an optional expression, `.` in `i 0x70.15`. */
  readonly introducedBy?: string;
  /** What Tab offers, where the kind does not say it. */
  readonly completes?: "snapshot" | "trace-event" | "command" | "drive-option" | "format" | "qemu-io";
  readonly type?: T;
}

/** Declared arguments by name, in their order. */
export type Arguments = Readonly<Record<string, Argument<unknown>>>;

type RequiredKeys<A extends Arguments> = {
  [K in keyof A]: A[K] extends Argument<unknown, false> ? K : never;
}[keyof A];

type TypeOf<T> = T extends Argument<infer Value, boolean> ? Value : never;

/** What `run` is given for the arguments `A`. */
export type ArgumentValues<A extends Arguments> =
  & { readonly [K in RequiredKeys<A>]: TypeOf<A[K]> }
  & { readonly [K in Exclude<keyof A, RequiredKeys<A>>]?: TypeOf<A[K]> | undefined };

type Completes = Argument<unknown>["completes"];

function declare<T>(kind: ArgumentKind) {
  return (completes?: Completes): Argument<T, false> => ({
    kind,
    optional: false,
    ...(completes === undefined ? {} : { completes }),
  });
}

/** Makers of arguments; each takes what Tab offers, where that is special. */
export const arg = {
  device: declare<string>("B"),
  file: declare<string>("F"),
  string: declare<string>("s"),
  rest: declare<string>("S"),
  options: declare<string>("O"),
  int32: declare<bigint>("i"),
  int64: declare<bigint>("l"),
  sizeBytes: declare<number>("o"),
  format: declare<DataFormat>("/"),
  onOff: declare<boolean>("b"),
  /** A switch; absent where it was not given. */
  flag: (letter: string): Argument<boolean, true> => ({ kind: "-", optional: true, letter }),
  /** A switch with a word behind it: `-f png`. */
  valued: (letter: string): Argument<string, true> => ({ kind: "-", optional: true, letter, takesWord: true }),
  /** An expression that `introducer` must stand before. */
  introduced: (introducer: string): Argument<bigint, true> => ({ kind: "i", optional: true, introducedBy: introducer }),
  /** The same argument, which may be left out. */
  optional: <T>(argument: Argument<T, false>): Argument<T, true> => ({ ...argument, optional: true }),
} as const;
