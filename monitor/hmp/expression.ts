/**
 * HMP's expressions: `0x1f0+7`, `(1+2)*3`, `'A'`, `$pc`.
 *
 * Values are signed 64-bit and wrap. From loose to tight: `+ -`, then `& | ^`, then `* / %`, then the signs `+ - ~`.
 * Numbers are C's (`0x1f`, `017`). Measured on QEMU 7.2, whose messages these are.
 *
 * @module
 */

/** Text with a position: what is left of a line. */
export interface Cursor {
  readonly text: string;
  at: number;
}

/** An argument that will not do; `message` is the line that is shown. */
export class HmpSyntaxError extends Error {
  override readonly name = "HmpSyntaxError";
  /** Whether the line ends there. */
  readonly newline: boolean;
  /** A line that QEMU writes to its own standard output before. */
  readonly aside: string | undefined;

  constructor(message: string, how: { newline?: boolean; aside?: string } = {}) {
    super(message);
    this.newline = how.newline ?? true;
    this.aside = how.aside;
  }
}

/** What `$name` is, or `undefined`. */
export type RegisterLookup = (name: string) => bigint | undefined;

const OPERATORS = ["+-", "&|^", "*/%"] as const;
/** Deeper nesting than any person types; a line of thousands of brackets must not use up the stack. */
const MAX_DEPTH = 200;

/** The value of the expression at `cursor`, which then stands after it and the white space that follows. */
export function parseExpression(cursor: Cursor, register: RegisterLookup = () => undefined): bigint {
  return new ExpressionParser(cursor, register).parse();
}

class ExpressionParser {
  readonly #cursor: Cursor;
  readonly #register: RegisterLookup;
  #depth = 0;

  constructor(cursor: Cursor, register: RegisterLookup) {
    this.#cursor = cursor;
    this.#register = register;
  }

  parse(): bigint {
    skipSpaces(this.#cursor);
    return this.#binary(0);
  }

  #binary(level: number): bigint {
    const operators = OPERATORS[level];
    if (operators === undefined) return this.#unary();
    let value = this.#binary(level + 1);
    for (;;) {
      const operator = this.#peek();
      if (operator === "" || !operators.includes(operator)) return value;
      this.#next();
      value = BigInt.asIntN(64, apply(operator, value, this.#binary(level + 1)));
    }
  }

  #unary(): bigint {
    if (++this.#depth > MAX_DEPTH) throw new HmpSyntaxError("expression is nested too deeply");
    try {
      return this.#primary();
    } finally {
      this.#depth--;
    }
  }

  #primary(): bigint {
    const char = this.#peek();
    switch (char) {
      case "":
        throw new HmpSyntaxError("unexpected end of expression");
      case "+":
        this.#next();
        return this.#unary();
      case "-":
        this.#next();
        return BigInt.asIntN(64, -this.#unary());
      case "~":
        this.#next();
        return ~this.#unary();
      case "(": {
        this.#next();
        const value = this.#binary(0);
        if (this.#peek() !== ")") throw new HmpSyntaxError("')' expected");
        this.#next();
        return value;
      }
      case "'":
        return this.#character();
      case "$":
        return this.#registerValue();
      default:
        return this.#number(char);
    }
  }

  #character(): bigint {
    const { text, at } = this.#cursor;
    const char = text[at + 1];
    if (char === undefined) throw new HmpSyntaxError("character constant expected");
    if (text[at + 2] !== "'") throw new HmpSyntaxError("missing terminating ' character");
    this.#cursor.at = at + 3;
    skipSpaces(this.#cursor);
    return BigInt(char.charCodeAt(0));
  }

  #registerValue(): bigint {
    const { text, at } = this.#cursor;
    const name = /^[A-Za-z0-9_.]*/.exec(text.slice(at + 1))![0];
    this.#cursor.at = at + 1 + name.length;
    skipSpaces(this.#cursor);
    const value = this.#register(name);
    if (value === undefined) throw new HmpSyntaxError("unknown register");
    return BigInt.asIntN(64, value);
  }

  #number(char: string): bigint {
    const { text, at } = this.#cursor;
    const digits = /^(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/.exec(text.slice(at))?.[0];
    if (digits === undefined) throw new HmpSyntaxError(`invalid char '${char}' in expression`);
    const value = /^0[0-7]+$/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits);
    if (value >= 1n << 64n) throw new HmpSyntaxError("number too large");
    this.#cursor.at = at + digits.length;
    skipSpaces(this.#cursor);
    return BigInt.asIntN(64, value);
  }

  #peek(): string {
    return this.#cursor.text[this.#cursor.at] ?? "";
  }

  #next(): void {
    this.#cursor.at++;
    skipSpaces(this.#cursor);
  }
}

function apply(operator: string, left: bigint, right: bigint): bigint {
  switch (operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "&":
      return left & right;
    case "|":
      return left | right;
    case "^":
      return left ^ right;
    case "*":
      return left * right;
    default:
      if (right === 0n) throw new HmpSyntaxError("division by zero");
      return operator === "/" ? left / right : left % right;
  }
}

/** Moves `cursor` past white space. */
export function skipSpaces(cursor: Cursor): void {
  while (isSpace(cursor.text[cursor.at])) cursor.at++;
}

/** Whether `char` separates words. */
export function isSpace(char: string | undefined): boolean {
  return char !== undefined && /[ \t\n\v\f\r]/.test(char);
}
