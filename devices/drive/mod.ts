/**
 * What devices with a drive have in common, whatever bus they are on.
 *
 * @module
 */
export { firstSector } from "./first_sector.ts";
export { type Geometry, geometryOfSize, guessGeometry, type Translation, translationFor } from "./geometry.ts";
export * from "./properties.ts";
