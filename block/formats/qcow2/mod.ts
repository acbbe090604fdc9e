/**
 * The qcow2 format.
 *
 * @module
 */
export { qcow2, Qcow2Driver } from "./driver.ts";
