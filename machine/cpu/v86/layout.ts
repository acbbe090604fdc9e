/**
 * Where the v86 core keeps the CPU's state in its linear memory: byte offsets, which its JavaScript side knows as well.
 *
 * Source: the global pointers of v86 0.5.462; {@link VERSION} pins them.
 *
 * @module
 */

/** What `package.json` of the package must begin its version with. */
export const VERSION = "0.5.462";

/** Compiled blocks live in the table from here on. */
export const TABLE_OFFSET = 1024;
/** As many of them as there can be at a time. */
export const TABLE_BLOCKS = 900;

/** What `set_jit_config` sets. */
export const JitSetting = { pages: 1, extraBlocks: 3 } as const;

/** Single fields. */
export const At = {
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  reg32: 64,
  lastOpSize: 96,
  flagsChanged: 100,
  lastOp1: 104,
  lastResult: 112,
  flags: 120,
  /** Access rights of each segment, a byte each. */
  segmentAccess: 512,
  /** Whether local APIC and I/O APIC are there, one byte. */
  apicPresent: 552,
  instructionPointer: 556,
  previousIp: 560,
  idtrLimit: 564,
  idtrBase: 568,
  gdtrLimit: 572,
  gdtrBase: 576,
  /** CR0 to CR7, 32 bits each. */
  cr: 580,
  cpl: 612,
  inHlt: 616,
  instructionCounter: 664,
  /** ES CS SS DS FS GS TR LDTR, 16 bits each. */
  selectors: 668,
  /** DR0 to DR7. */
  dr: 684,
  segmentIsNull: 724,
  segmentBases: 736,
  segmentLimits: 768,
  protectedMode: 800,
  is32: 804,
  ramBytes: 812,
  fpuStackEmpty: 816,
  mxcsr: 824,
  xmm: 832,
  currentTsc: 960,
  fpuStackTop: 1032,
  fpuControl: 1036,
  fpuStatus: 1040,
  fpuRegisters: 1152,
} as const;

/** The table by which compiled code translates addresses: an entry of 32 bits for each page of 4 KiB. */
export const PAGE_TABLE = 0x41_5d64;

/** The table by which it finds what was compiled of a page of the guest's addresses: 32 bits for each, where that is. */
export const CODE_TABLE = 0xc01c;

/**
 * What was compiled of a page: first for each byte 16 bits, which entry a jump to it is, FFFFh where none; then which block
 * has it, and for which flags.
 */
export const CodePage = { block: 8192, flags: 8194 } as const;

/** All of the CPU proper. */
export const CPU_START = 64;
export const CPU_END = 1280;

/** Bytes of the interrupt controllers' state, each at an address that the core tells. */
export const PIC_BYTES = 13;
export const APIC_BYTES = 184;
export const IOAPIC_BYTES = 208;

/** Bytes of a PIC. */
export const PicAt = {
  /** The mask register's complement. */
  enabled: 0,
  vectorBase: 1,
  isr: 2,
  irr: 3,
  readIsr: 8,
  elcr: 10,
} as const;

/** Words of the local APIC. */
export const ApicAt = {
  id: 0,
  divide: 4,
  divideShift: 8,
  initialCount: 12,
  /** A double: virtual milliseconds. */
  timerStartMs: 24,
  timer: 32,
  performance: 36,
  lint0: 40,
  lint1: 44,
  error: 48,
  taskPriority: 52,
  commandLow: 56,
  commandHigh: 60,
  irr: 64,
  isr: 96,
  spurious: 160,
  destinationFormat: 164,
  logicalDestination: 168,
  errorStatus: 176,
  thermal: 180,
} as const;

/** In the local APIC's timer entry: it fires again and again. */
export const TIMER_PERIODIC = 1 << 17;

/** Words of the I/O APIC; of the entries first all low ones, then all high ones. */
export const IoApicAt = { low: 0, high: 96, select: 192, id: 196, requests: 200 } as const;

/** EFLAGS.IF. */
export const INTERRUPT_FLAG = 0x200;
