/**
 * The luks format.
 *
 * @module
 */
export { luks } from "./driver.ts";
