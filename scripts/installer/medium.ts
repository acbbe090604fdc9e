/**
 * The installation medium: a CD image in a file, read piece by piece.
 *
 * @module
 */
import { IsoReader, openImage } from "../../mod.ts";
import type { InstallerProfile } from "./profile.ts";

/** What is taken from the medium to start the installer. */
export interface StartFiles {
  readonly version: string;
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array;
}

/** A medium that cannot be installed from, said in one line. */
export class MediumError extends Error {
  override readonly name = "MediumError";
}

/** Reads kernel and initial RAM disk from the medium at `path`. @throws {MediumError} where `profile` has no use for it */
export async function readMedium(path: string, profile: InstallerProfile): Promise<StartFiles> {
  await using image = await openImage(path, { format: "raw", readOnly: true });
  const medium = await IsoReader.open({
    sizeBytes: image.sizeBytes,
    read: async (at, lengthBytes) => {
      const length = Math.max(0, Math.min(lengthBytes, image.sizeBytes - at));
      return length === 0 ? new Uint8Array(0) : await image.read(at, length);
    },
  });
  const found = await profile.recognize(medium);
  if (found.kind === "other") {
    throw new MediumError(
      `'${path}' (${medium.label || "no label"}) is no medium of ${profile.name}; --profile FILE names another profile`,
    );
  }
  if (found.kind === "refused") throw new MediumError(`'${path}': ${found.reason}`);
  const need = async (name: string) => {
    const bytes = await medium.readFile(name);
    if (bytes === undefined) throw new MediumError(`'${path}' has no '${name}', from which ${profile.name} is started`);
    return bytes;
  };
  return { version: found.version, kernel: await need(profile.kernel), initrd: await need(profile.initrd) };
}
