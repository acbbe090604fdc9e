/**
 * Characters of a text screen: code page 437, which is what a VGA's font draws.
 *
 * Source: [CP437] "IBM PC code page 437".
 *
 * @module
 */

const UPPER = [
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»",
  "░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0",
].join("");
const LOWER = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";

/** The character of `code`, 0 to 255; 0 is a blank. */
export function cp437(code: number): string {
  if (code < 0x20) return LOWER[code]!;
  if (code < 0x7f) return String.fromCharCode(code);
  return code === 0x7f ? "⌂" : UPPER[code - 0x80]!;
}
