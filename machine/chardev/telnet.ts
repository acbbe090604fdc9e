/**
 * The telnet protocol as far as a serial console needs it: commands are taken out of the input, the byte 255 is doubled
 * in the output, and the client is asked for single characters without echo.
 *
 * Left out: what the client answers to the offers.
 *
 * Source: [RFC 854], [RFC 856] binary, [RFC 857] echo, [RFC 858] suppress go-ahead.
 *
 * @module
 */

const IAC = 255;
const DO = 253;
const WILL = 251;
const SUBNEGOTIATION = 250;
const BREAK = 243;
const SUBNEGOTIATION_END = 240;
const OPTION_BINARY = 0;
const OPTION_ECHO = 1;
const OPTION_SUPPRESS_GO_AHEAD = 3;

/** What a server says first. */
export const TELNET_GREETING: Uint8Array = new Uint8Array([
  ...[IAC, WILL, OPTION_ECHO],
  ...[IAC, WILL, OPTION_SUPPRESS_GO_AHEAD],
  ...[IAC, WILL, OPTION_BINARY],
  ...[IAC, DO, OPTION_BINARY],
]);

/** Takes the commands out of a client's input. */
export class TelnetInput {
  readonly #onBreak: () => void;
  #state: "data" | "command" | "option" | "subnegotiation" | "subnegotiation command" = "data";

  constructor(onBreak: () => void) {
    this.#onBreak = onBreak;
  }

  /** What of `bytes` is input. */
  filter(bytes: Uint8Array): Uint8Array {
    if (this.#state === "data" && !bytes.includes(IAC)) return bytes;
    const data: number[] = [];
    for (const byte of bytes) if (this.#isData(byte)) data.push(byte);
    return Uint8Array.from(data);
  }

  #isData(byte: number): boolean {
    switch (this.#state) {
      case "data":
        if (byte !== IAC) return true;
        this.#state = "command";
        return false;
      case "command":
        this.#state = byte === SUBNEGOTIATION ? "subnegotiation" : byte >= WILL && byte < IAC ? "option" : "data";
        if (byte === BREAK) this.#onBreak();
        return byte === IAC;
      case "option":
        this.#state = "data";
        return false;
      case "subnegotiation":
        if (byte === IAC) this.#state = "subnegotiation command";
        return false;
      case "subnegotiation command":
        this.#state = byte === SUBNEGOTIATION_END ? "data" : "subnegotiation";
        return false;
    }
  }
}

/** `bytes` as they go over the line. */
export function telnetOutput(bytes: Uint8Array): Uint8Array {
  return bytes.includes(IAC)
    ? Uint8Array.from([...bytes].flatMap((byte) => byte === IAC ? [IAC, IAC] : [byte]))
    : bytes;
}
