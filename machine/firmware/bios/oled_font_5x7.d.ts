/** What the package oled-font-5x7 exports; it has no types of its own. */
declare const font: {
  readonly width: number;
  readonly height: number;
  /** A byte a column, `width` of them a character, from the blank on. */
  readonly fontData: readonly number[];
};
export default font;
