/**
 * Standard input, line by line; the last line may be without a newline.
 *
 * @module
 */

const PIECE_BYTES = 4096;

/** The lines of `from`, without their newlines, until its end. */
export async function* lines(from: { read(into: Uint8Array): Promise<number | null> }): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const piece = new Uint8Array(PIECE_BYTES);
  let rest = "";
  for (;;) {
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      yield line;
    }
    const count = await from.read(piece);
    if (count === null) break;
    rest += decoder.decode(piece.subarray(0, count), { stream: true });
  }
  if (rest !== "") yield rest;
}
