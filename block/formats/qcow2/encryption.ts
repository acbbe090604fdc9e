/**
 * Encrypted data clusters: which method an image's header names, and the store that reads and writes them.
 *
 * No method is known yet: images that name one are refused.
 *
 * Source: [QCOW2] "Header" (crypt_method), "Full disk encryption header pointer".
 *
 * @module
 */
import type { BlockdevOptionsQcow2 } from "../../options/blockdev.ts";
import type { ClusterData } from "./cluster_data.ts";
import { unsupported } from "./failures.ts";
import type { Extensions } from "./header_extensions.ts";
import type { Header } from "./header.ts";
import type { HostFile } from "./host_file.ts";
import type { OpenScope } from "./open_data.ts";

/** What is known of an image when its encryption is set up: everything that was read, nothing was written. */
export interface EncryptedParts {
  readonly header: Header;
  readonly extensions: Extensions;
  /** The image's own file, in which an encryption header lies. */
  readonly file: HostFile;
  /** The file of the data clusters, which may be an external one. */
  readonly dataFile: HostFile;
}

/**
 * The store of an image whose header names an encryption method (`cryptMethod` is 1 or 2).
 *
 * @throws {BlockError} where the method, the secret or the encryption header will not do
 */
export function openEncryption(
  parts: EncryptedParts,
  _options: BlockdevOptionsQcow2,
  _context: OpenScope,
): Promise<ClusterData> {
  const method = parts.header.cryptMethod === 1 ? "aes" : "luks";
  return Promise.reject(unsupported("encryption", `Encrypted qcow2 images (${method}) are not supported`));
}
