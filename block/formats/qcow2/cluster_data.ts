/**
 * Where guest data lives: what every read and write of a data cluster goes through.
 *
 * Three places are known: the image's own file, an external data file, and either of them with the bytes encrypted
 * (encryption.ts). Compressed clusters and all metadata are always in the image's own file and never come here.
 *
 * The order that crashes survive stays the image's (image.ts): whatever is written here is durable before metadata
 * that refers to it, since a barrier of the image's file includes that of its data file (host_file.ts).
 *
 * Source: [QCOW2] "Header" (crypt_method, external data file bit).
 *
 * @module
 */
import type { IoVector } from "../../../base/io_vector.ts";
import type { HostFile } from "./host_file.ts";

/** The store of an image's data clusters. Offsets and lengths are multiples of `alignBytes`. */
export interface ClusterData {
  /** The file that the clusters are in: the image's own, or the external one. */
  readonly file: HostFile;
  /** What the file holds is what the guest sees: {@link file} may be used without asking here. */
  readonly isPlain: boolean;
  /** A power of two: 1, or the unit that is encrypted as one. */
  readonly alignBytes: number;
  /** Reads what the guest has at offset `guest`, which lies at `host`; the bytes follow each other in both. */
  read(host: number, guest: number, into: IoVector): Promise<void>;
  /** Writes what the guest has at `guest` to `host`, counted as guest data under way (`HostFile.settleData`). */
  write(host: number, guest: number, from: IoVector): Promise<void>;
  /** Lets go of what the store holds besides its file. */
  close?(): void;
}

/** Clusters whose bytes are the guest's, in the image's own file or in an external one. */
export class PlainData implements ClusterData {
  readonly file: HostFile;
  readonly isPlain = true;
  readonly alignBytes = 1;

  constructor(file: HostFile) {
    this.file = file;
  }

  read(host: number, _guest: number, into: IoVector): Promise<void> {
    return this.file.read(host, into);
  }

  write(host: number, _guest: number, from: IoVector): Promise<void> {
    return this.file.writeData(host, from);
  }
}
