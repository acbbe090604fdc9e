/**
 * What a guest shows and what it is driven through: screen, keyboard and mouse.
 *
 * @module
 */
export { CursesDisplay, type CursesSite } from "./curses.ts";
export { findCard, ScreenError } from "./screen.ts";
export { encodePng, encodePpm } from "./image_files.ts";
export { Q_KEY_CODES } from "./key_names.ts";
export { Keyboard, keyOfNumber, keysOfText, type KeyStroke, parseKeys, type QKeyCode } from "./keyboard.ts";
export { Pointer, type PointerChange } from "./pointer.ts";
