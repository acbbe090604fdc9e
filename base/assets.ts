/**
 * Files that are loaded by name while the program runs (threads' programs, later firmware), wherever it runs from.
 *
 * In the source tree each lies where its folder wants it. A bundle, which is a folder of flat files, has them beside it
 * in `assets/`, under the names of this table; `tools/install` puts them there.
 *
 * @module
 */

/** Each asset's place in the source tree. */
export const ASSETS = {
  packWorker: "block/formats/qcow2/pack_worker.ts",
} as const;

/** The name of an asset. */
export type AssetName = keyof typeof ASSETS;

/** Where `name` is: in the source tree, or beside the bundle that this is a part of. */
export function assetUrl(name: AssetName): URL {
  const here = import.meta.url;
  return here.endsWith("/base/assets.ts") ? new URL(`../${ASSETS[name]}`, here) : new URL(`./assets/${name}.js`, here);
}
