/**
 * A character device as hardware sees it: bytes in as they come, bytes out, and what happens at the other end.
 *
 * A serial port or a monitor is a {@link CharFrontend}; what it talks to (a socket, a file, the terminal, a script) is a
 * {@link Chardev}. Input flows only as far as the frontend has room, output only as far as the other end takes it:
 * neither side can fill the other's memory.
 *
 * Source: QEMU's documentation of `-chardev`.
 *
 * @module
 */

/**
 * What happens at the other end: somebody came, somebody went, a break condition was sent; and on a device with several
 * frontends, that this one is talked to from now on (`focus`) or not any more (`blur`).
 */
export type CharEvent = "opened" | "closed" | "break" | "focus" | "blur";

/** Who talks over a character device. Nothing in it may throw. */
export interface CharFrontend {
  /** How many bytes it takes now. After 0 nothing comes until it calls {@link CharConnection.acceptInput}. */
  room(): number;
  /** Takes at most {@link room} bytes, which are its own from then on. */
  receive(bytes: Uint8Array): void;
  event?(event: CharEvent): void;
  /** Nothing more comes, but what it sends is still taken; when this resolves, the line is closed. */
  inputEnded?(): Promise<void>;
  /** Output that {@link CharConnection.write} did not take may be offered again. */
  writable?(): void;
}

/** How a serial port sends and receives characters. */
export interface CharLine {
  /** Bits a second. */
  readonly baud: number;
  /** 5 to 8. */
  readonly dataBits: number;
  readonly parity: "none" | "odd" | "even";
  readonly stopBits: 1 | 2;
}

/** A frontend's end of the line; disposing of it lets go of the device. */
export interface CharConnection extends Disposable {
  /** Somebody is at the other end. */
  readonly isOpen: boolean;
  /**
   * Sends bytes, which may be changed afterwards; how many of them were taken. The others are offered again after
   * {@link CharFrontend.writable}. Where nobody is at the other end all are taken and dropped.
   */
  write(bytes: Uint8Array): number;
  /** There is room again. */
  acceptInput(): void;
  /** Resolves when all that was taken has been sent, or nobody takes it any more. */
  flushed(): Promise<void>;
  /** Tells how characters go from now on; a host's serial port follows. */
  setLine?(line: CharLine): void;
  /** Sends whoever is at the other end away. */
  hangUp(): void;
}

/** A character device, open from when it is made; a device's property of type `chardev` holds one. */
export interface Chardev {
  /** Its id. */
  readonly label: string;
  /** It takes no further frontend. */
  readonly isTaken?: boolean;
  /** @throws {PropertyError} `Device 'x' is in use` */
  connect(frontend: CharFrontend): CharConnection;
}
