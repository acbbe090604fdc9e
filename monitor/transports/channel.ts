/**
 * A two-way stream of bytes that a monitor talks over, whatever it is made of.
 *
 * @module
 */

/** What a monitor is connected to. */
export interface Channel {
  /** Bytes as they come; ends when the other side has ended. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Sends bytes, in order; what fails is told by the end of {@link readable}. Resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
  /** Closes both ways; harmless when it is closed already. */
  close(): void;
  /**
   * Where the channel is the program's own standard output: what QEMU's commands write there themselves, and to
   * standard error. Absent elsewhere: all goes over the channel.
   */
  readonly outputs?: { readonly out: (text: string) => void; readonly error: (text: string) => void };
  /** Whether somebody looks; on a multiplexer others may be talked to. Absent where that is always so. */
  readonly hasFocus?: boolean;
  /** Calls `changed` when {@link hasFocus} is about to become false, and when it has become true. */
  onFocus?(changed: (hasFocus: boolean) => void): void;
}
