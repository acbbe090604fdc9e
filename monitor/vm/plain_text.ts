/**
 * What a terminal would show, roughly, of text that is meant for one: without colours, titles, modes and questions.
 *
 * A shell's prompt is most often more than its letters: `\x1b[1;32mroot@guest\x1b[0m:~# \x1b[6n` ends with a question to the
 * terminal. A script waits for the letters. Where the cursor is sent to another line a line ends; where it is sent along the
 * line there is a blank. What is written over stays.
 *
 * Source: [ECMA-48] 5.4 "Control sequences", 5.6 "Control strings".
 *
 * @module
 */

const ESCAPE = 0x1b;
const BELL = 0x07;
/** A sequence that is longer is none: what follows is text again. */
const LONGEST = 4096;

/** Final bytes of control sequences that send the cursor to another line, and along the line. */
const TO_LINE = "HfABEFd";
const ALONG = "CG`a";

/** Takes text in pieces, of which one may end in the middle of a sequence. */
export class PlainText {
  #state: "text" | "escape" | "intermediate" | "control" | "string" | "string escape" = "text";
  #length = 0;

  /** What of `text` is left. */
  push(text: string): string {
    if (this.#state === "text" && !text.includes("\x1b")) return text;
    let plain = "";
    for (const char of text) plain += this.#take(char);
    return plain;
  }

  #take(char: string): string {
    const code = char.codePointAt(0)!;
    if (this.#state === "text") {
      if (code !== ESCAPE) return char;
      this.#state = "escape";
      this.#length = 0;
      return "";
    }
    if (++this.#length > LONGEST) {
      this.#state = "text";
      return char;
    }
    switch (this.#state) {
      case "escape":
        if (char === "[") this.#state = "control";
        else if ("]PX^_".includes(char)) this.#state = "string";
        else if (code >= 0x20 && code <= 0x2f) this.#state = "intermediate";
        else if (code !== ESCAPE) this.#state = "text";
        return "";
      case "intermediate":
        if (code < 0x20 || code > 0x2f) this.#state = "text";
        return "";
      case "control":
        return this.#control(char, code);
      case "string":
        if (code === BELL) this.#state = "text";
        else if (code === ESCAPE) this.#state = "string escape";
        return "";
      case "string escape":
        this.#state = char === "\\" ? "text" : "string";
        return "";
    }
  }

  #control(char: string, code: number): string {
    if (code === ESCAPE) {
      this.#state = "escape";
      return "";
    }
    // A terminal obeys these in the middle of a sequence.
    if (code < 0x20) return char;
    if (code < 0x40) return "";
    this.#state = "text";
    return TO_LINE.includes(char) ? "\n" : ALONG.includes(char) ? " " : "";
  }
}
