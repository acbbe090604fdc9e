/**
 * The 16550A: an asynchronous serial port with FIFOs of sixteen bytes, and a character device at its other end.
 *
 * Bytes take no time on the line: what is written is sent in the next turn of the program, all of it at once, and what
 * comes is there at once. Only the receive timeout counts characters at the speed that divisor and frame give. The
 * transmitter reads as empty until far more waits than its FIFO would hold: a guest that fills it is not slowed down by
 * a host that takes a moment, and one that nobody listens to waits.
 *
 * Left out: parity and framing errors (there are no wires), the modem's lines (a null modem holds CTS, DSR and DCD),
 * breaks that the guest sends, DMA modes.
 *
 * Source: [PC16550D] 8.0 "Registers", 8.6 "FIFO Interrupt Mode Operation".
 *
 * @module
 */
import { NS_PER_S } from "../../base/units.ts";
import {
  type CharConnection,
  type CharFrontend,
  Device,
  type DeviceContext,
  type DeviceOptions,
  DeviceTimer,
  type DeviceType,
  type IrqLine,
  prop,
  type PropertyValues,
  UNCONNECTED,
} from "../bus/mod.ts";

/** What a port of any bus has of it. */
export const UART_PROPERTIES = {
  "baudbase": prop.uint32(115200, { hidden: true }),
  // Whichever bus it is on, errors are the chip's.
  "chardev": chipChardev(),
  "wakeup": prop.bool(false, { hidden: true }),
};

function chipChardev(): ReturnType<typeof prop.chardev> {
  const plain = prop.chardev();
  return { ...plain, hidden: true, parse: (text, scope) => plain.parse(text, { ...scope, deviceType: "serial" }) };
}

const IER_RECEIVED = 0x01;
const IER_SENT = 0x02;
const IER_LINE = 0x04;
const IER_MODEM = 0x08;

const IIR_NONE = 0x01;
const IIR_MODEM = 0x00;
const IIR_SENT = 0x02;
const IIR_RECEIVED = 0x04;
const IIR_LINE = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFOS = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVER = 0x02;
const FCR_CLEAR_TRANSMITTER = 0x04;
const FCR_KEPT = 0xc9;

const LCR_STOP = 0x04;
const LCR_PARITY = 0x08;
const LCR_EVEN = 0x10;
const LCR_DLAB = 0x80;

const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;

const LSR_DATA = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_BREAK = 0x10;
const LSR_EMPTY = 0x60;
const LSR_ERRORS = 0x1e;

const MSR_CTS = 0x10;
const MSR_DSR = 0x20;
const MSR_RI = 0x40;
const MSR_DCD = 0x80;
const MSR_CHANGES = 0x0f;

const FIFO_BYTES = 16;
/** Bytes in the receive FIFO that raise the interrupt, by the upper bits of FCR. */
const TRIGGERS = [1, 4, 8, 14] as const;
const TIMEOUT_CHARACTERS = 4;
/** The transmitter is full when this many bytes wait for the character device. */
const OUTPUT_LIMIT = 4096;

export interface UartState {
  ier: number;
  fcr: number;
  lcr: number;
  mcr: number;
  lsr: number;
  /** Changes of the modem's lines; the lines themselves stay as they are. */
  changes: number;
  scratch: number;
  divisor: number;
  /** What the receive buffer reads as. */
  received: number;
  fifo: number[];
  sentPending: boolean;
  timeoutPending: boolean;
  timeoutNs: number | null;
  /** What the character device has not taken yet. */
  output: number[];
}

/** The chip. Its bus drives {@link read} and {@link write} and gives it an interrupt line. */
export class Uart16550 extends Device<typeof UART_PROPERTIES, UartState> implements CharFrontend {
  /** Where its interrupt goes; whoever puts it on a board sets it. */
  interrupt: IrqLine = UNCONNECTED;
  readonly #timeout: DeviceTimer;
  readonly #output = new Uint8Array(OUTPUT_LIMIT);
  #outputLength = 0;
  #flushing = false;
  #line: CharConnection | undefined;
  #state = initialState();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof UART_PROPERTIES>>, options: DeviceOptions) {
    super(serial, context, values, options);
    this.#timeout = new DeviceTimer(context.clocks.virtual, () => {
      this.#state.timeoutPending = true;
      this.#drive();
    });
  }

  /** Reads register `offset`, 0 to 7. */
  read(offset: number): number {
    const state = this.#state;
    switch (offset) {
      case 0:
        return (state.lcr & LCR_DLAB) !== 0 ? state.divisor & 0xff : this.#receive();
      case 1:
        return (state.lcr & LCR_DLAB) !== 0 ? state.divisor >> 8 : state.ier;
      case 2:
        return this.#identify();
      case 3:
        return state.lcr;
      case 4:
        return state.mcr;
      case 5:
        return this.#lineStatus();
      case 6:
        return this.#modemStatus();
      default:
        return state.scratch;
    }
  }

  /** Writes register `offset`, 0 to 7; `value` is a byte. */
  write(offset: number, value: number): void {
    const state = this.#state;
    switch (offset) {
      case 0:
        if ((state.lcr & LCR_DLAB) !== 0) this.#divide((state.divisor & 0xff00) | value);
        else this.#transmit(value);
        return;
      case 1:
        if ((state.lcr & LCR_DLAB) !== 0) this.#divide((state.divisor & 0xff) | (value << 8));
        else this.#enableInterrupts(value & 0x0f);
        return;
      case 2:
        return this.#controlFifos(value);
      case 3:
        state.lcr = value;
        return this.#tellLine();
      case 4:
        state.mcr = value & 0x1f;
        if ((value & MCR_LOOP) === 0) this.#line?.acceptInput();
        return;
      case 7:
        state.scratch = value;
        // The status registers, 5 and 6, are read only.
    }
  }

  #divide(divisor: number): void {
    this.#state.divisor = divisor;
    this.#tellLine();
  }

  /** The other end may be a line that has a speed and a format, too. */
  #tellLine(): void {
    const { lcr, divisor } = this.#state;
    const { baudbase } = this.properties;
    if (divisor === 0 || divisor > baudbase) return;
    this.#line?.setLine?.({
      baud: Math.floor(baudbase / divisor),
      dataBits: 5 + (lcr & 3),
      parity: (lcr & LCR_PARITY) === 0 ? "none" : (lcr & LCR_EVEN) === 0 ? "odd" : "even",
      stopBits: (lcr & LCR_STOP) === 0 ? 1 : 2,
    });
  }

  room(): number {
    const { mcr, fifo } = this.#state;
    if ((mcr & MCR_LOOP) !== 0) return 0;
    if (this.#hasFifos) return FIFO_BYTES - fifo.length;
    return (this.#state.lsr & LSR_DATA) === 0 ? 1 : 0;
  }

  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.#accept(byte);
    this.#drive();
  }

  event(event: string): void {
    if (event !== "break" || (this.#state.mcr & MCR_LOOP) !== 0) return;
    this.#accept(0);
    this.#state.lsr |= LSR_BREAK;
    this.#drive();
  }

  writable(): void {
    this.#flush();
  }

  protected override onRealize(): void {
    // Without one, what is sent goes nowhere.
    this.#line = this.properties.chardev?.connect(this);
  }

  protected override onUnrealize(): void {
    this.#timeout.cancel();
    this.#flush();
    this.#line?.[Symbol.dispose]();
    this.#line = undefined;
    this.interrupt.set(0);
  }

  protected override onReset(): void {
    // What the guest sent before is on its way, as on a line.
    this.#flush();
    this.#timeout.cancel();
    this.#state = initialState();
    if (this.#outputLength === OUTPUT_LIMIT) this.#state.lsr &= ~LSR_EMPTY;
    this.interrupt.set(0);
    this.#line?.acceptInput();
  }

  protected override onStop(): void {
    this.#flush();
  }

  protected override saveState(): UartState {
    return {
      ...this.#state,
      fifo: [...this.#state.fifo],
      timeoutNs: this.#timeout.deadlineNs ?? null,
      output: [...this.#output.subarray(0, this.#outputLength)],
    };
  }

  protected override loadState(state: UartState): void {
    const fifo = state.fifo.slice(0, FIFO_BYTES).map((byte) => byte & 0xff);
    this.#state = { ...state, fifo, output: [] };
    this.#timeout.set(state.timeoutNs ?? undefined);
    this.#outputLength = Math.min(state.output.length, OUTPUT_LIMIT);
    this.#output.set(state.output.slice(0, this.#outputLength));
    this.#drive();
    this.#flushSoon();
    this.#tellLine();
    this.#line?.acceptInput();
  }

  get #hasFifos(): boolean {
    return (this.#state.fcr & FCR_ENABLE) !== 0;
  }

  /** A byte from the line, or from the transmitter in loopback. */
  #accept(byte: number): void {
    const state = this.#state;
    if (!this.#hasFifos) {
      if ((state.lsr & LSR_DATA) !== 0) state.lsr |= LSR_OVERRUN;
      state.received = byte;
    } else if (state.fifo.length < FIFO_BYTES) {
      state.fifo.push(byte);
      this.#restartTimeout();
    } else state.lsr |= LSR_OVERRUN;
    state.lsr |= LSR_DATA;
  }

  #receive(): number {
    const state = this.#state;
    if (this.#hasFifos) {
      state.received = state.fifo.shift() ?? 0;
      state.timeoutPending = false;
      if (state.fifo.length > 0) this.#restartTimeout();
      else {
        this.#timeout.cancel();
        state.lsr &= ~(LSR_DATA | LSR_BREAK);
      }
    } else state.lsr &= ~(LSR_DATA | LSR_BREAK);
    const byte = state.received;
    this.#drive();
    if ((state.mcr & MCR_LOOP) === 0) this.#line?.acceptInput();
    return byte;
  }

  #transmit(byte: number): void {
    const state = this.#state;
    if ((state.mcr & MCR_LOOP) !== 0) {
      this.#accept(byte);
    } else if (this.#outputLength < OUTPUT_LIMIT) {
      this.#output[this.#outputLength++] = byte;
      if (this.#outputLength === OUTPUT_LIMIT) state.lsr &= ~LSR_EMPTY;
      this.#flushSoon();
    }
    state.sentPending = (state.lsr & LSR_EMPTY) !== 0;
    this.#drive();
  }

  #flushSoon(): void {
    if (this.#flushing || this.#outputLength === 0) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  /** Gives the character device what it takes; it calls {@link writable} for the rest. */
  #flush(): void {
    if (this.#outputLength === 0) return;
    const taken = this.#line?.write(this.#output.subarray(0, this.#outputLength)) ?? this.#outputLength;
    if (taken === 0) return;
    this.#output.copyWithin(0, taken, this.#outputLength);
    this.#outputLength -= taken;
    const state = this.#state;
    if ((state.lsr & LSR_EMPTY) !== 0) return;
    state.lsr |= LSR_EMPTY;
    state.sentPending = true;
    this.#drive();
  }

  #enableInterrupts(value: number): void {
    const state = this.#state;
    const changed = state.ier ^ value;
    state.ier = value;
    // An empty transmitter asks as soon as it may.
    if ((changed & IER_SENT) !== 0) state.sentPending = (value & IER_SENT) !== 0 && (state.lsr & LSR_EMPTY) !== 0;
    this.#drive();
  }

  #controlFifos(value: number): void {
    const state = this.#state;
    const changed = ((value ^ state.fcr) & FCR_ENABLE) !== 0;
    if (changed || (value & FCR_CLEAR_RECEIVER) !== 0) {
      state.fifo = [];
      state.lsr &= ~(LSR_DATA | LSR_BREAK);
      state.timeoutPending = false;
      this.#timeout.cancel();
    }
    if (changed || (value & FCR_CLEAR_TRANSMITTER) !== 0) {
      // What was sent has left already.
      state.sentPending = (state.lsr & LSR_EMPTY) !== 0;
    }
    // The trigger level counts only while the FIFOs are on.
    state.fcr = (value & FCR_ENABLE) !== 0 ? value & FCR_KEPT : 0;
    this.#drive();
    this.#line?.acceptInput();
  }

  #identify(): number {
    const which = this.#pending();
    if (which === IIR_SENT) {
      this.#state.sentPending = false;
      this.#drive();
    }
    return which | (this.#hasFifos ? IIR_FIFOS : 0);
  }

  #lineStatus(): number {
    const state = this.#state;
    const { lsr } = state;
    if ((lsr & (LSR_BREAK | LSR_OVERRUN)) !== 0) {
      state.lsr &= ~(LSR_BREAK | LSR_OVERRUN);
      this.#drive();
    }
    return lsr;
  }

  #modemStatus(): number {
    const state = this.#state;
    const { mcr, changes } = state;
    if ((mcr & MCR_LOOP) !== 0) {
      return ((mcr & MCR_DTR) !== 0 ? MSR_DSR : 0) | ((mcr & MCR_RTS) !== 0 ? MSR_CTS : 0) |
        ((mcr & MCR_OUT1) !== 0 ? MSR_RI : 0) | ((mcr & MCR_OUT2) !== 0 ? MSR_DCD : 0);
    }
    state.changes = 0;
    if (changes !== 0) this.#drive();
    return MSR_CTS | MSR_DSR | MSR_DCD | changes;
  }

  /** What it interrupts for, the most urgent first. */
  #pending(): number {
    const { ier, lsr, fcr, fifo, changes, sentPending, timeoutPending } = this.#state;
    if ((ier & IER_LINE) !== 0 && (lsr & LSR_ERRORS) !== 0) return IIR_LINE;
    if ((ier & IER_RECEIVED) !== 0) {
      if (timeoutPending) return IIR_TIMEOUT;
      const enough = !this.#hasFifos || fifo.length >= TRIGGERS[fcr >> 6]!;
      if ((lsr & LSR_DATA) !== 0 && enough) return IIR_RECEIVED;
    }
    if ((ier & IER_SENT) !== 0 && sentPending) return IIR_SENT;
    if ((ier & IER_MODEM) !== 0 && (changes & MSR_CHANGES) !== 0) return IIR_MODEM;
    return IIR_NONE;
  }

  #drive(): void {
    this.interrupt.set(this.#pending() === IIR_NONE ? 0 : 1);
  }

  #restartTimeout(): void {
    const { lcr, divisor } = this.#state;
    const { baudbase } = this.properties;
    if (divisor === 0 || baudbase === 0) return;
    const dataBits = 5 + (lcr & 3);
    const frameBits = 1 + dataBits + ((lcr & 0x08) !== 0 ? 1 : 0) + ((lcr & 0x04) !== 0 ? 2 : 1);
    const characterNs = Math.round(NS_PER_S * frameBits * divisor / baudbase);
    this.#timeout.set(this.context.clocks.virtual.nowNs() + TIMEOUT_CHARACTERS * characterNs);
  }
}

function initialState(): UartState {
  return {
    ier: 0,
    fcr: 0,
    lcr: 0,
    mcr: MCR_OUT2,
    lsr: LSR_EMPTY,
    changes: 0,
    scratch: 0,
    divisor: 12,
    received: 0,
    fifo: [],
    sentPending: false,
    timeoutPending: false,
    timeoutNs: null,
    output: [],
  };
}

/** `serial`: the chip, which ports of several buses have inside. */
export const serial = {
  name: "serial",
  busType: undefined,
  category: "Uncategorized",
  userCreatable: false,
  properties: UART_PROPERTIES,
  create: (context, values = {}, options = {}) => new Uart16550(context, values, options),
} satisfies DeviceType<typeof UART_PROPERTIES>;
