/**
 * A small assembler for 16-bit code.
 *
 * @module
 */
export { assemble, type Assembled } from "./assembler.ts";
export { AssemblyError } from "./operands.ts";
