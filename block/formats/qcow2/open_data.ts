/**
 * Opening the place where an image's data clusters are: the image's own file, an external data file, or either of them
 * encrypted.
 *
 * The external file is the user's (`data-file`), else the one that the header names, which counts from where the program
 * runs and not from the image's folder, as in QEMU.
 *
 * Source: [QCOW2] "Header" (external data file bit), "External data file name".
 *
 * @module
 */
import type { ChildOptions, OpenContext } from "../../driver.ts";
import type { BlockdevOptionsQcow2 } from "../../options/blockdev.ts";
import { type ClusterData, PlainData } from "./cluster_data.ts";
import { checkEncryptionHeader, openEncryption, refuseEncryptionOptions } from "./encryption.ts";
import { formatError } from "./failures.ts";
import type { Extensions } from "./header_extensions.ts";
import { AUTOCLEAR, type Header, INCOMPATIBLE } from "./header.ts";
import { HostFile } from "./host_file.ts";

/** What of its context an image is opened with; one that is just being made has no children to open. */
export type OpenScope =
  & Pick<OpenContext, "nodeName" | "readOnly" | "warn">
  & Partial<Pick<OpenContext, "openChild" | "metadataOnly" | "inMachine" | "secrets">>;

/** What is known of the image so far. */
export interface DataParts {
  readonly header: Header;
  readonly extensions: Extensions;
  readonly file: HostFile;
  /** The external data file, where it is open already. */
  readonly dataFile?: HostFile | undefined;
}

/** Opens the store of the data clusters. @throws {BlockError} in QEMU's words */
export async function openData(
  parts: DataParts,
  options: BlockdevOptionsQcow2,
  scope: OpenScope,
): Promise<ClusterData> {
  const { header, extensions, file } = parts;
  checkEncryptionHeader(header, extensions);
  // Whoever wants no data need not have the file or the key.
  if (scope.metadataOnly === true) {
    return header.cryptMethod === 0
      ? new PlainData(file)
      : await openEncryption({ header, extensions, file, dataFile: file }, options, scope);
  }
  const dataFile = parts.dataFile ?? await openDataFile(parts, options, scope);
  if (dataFile !== file) file.data = dataFile;
  if (header.cryptMethod === 0) {
    refuseEncryptionOptions(options);
    return new PlainData(dataFile);
  }
  return await openEncryption({ header, extensions, file, dataFile }, options, scope);
}

async function openDataFile(
  { header, extensions, file }: DataParts,
  options: BlockdevOptionsQcow2,
  { openChild }: OpenScope,
): Promise<HostFile> {
  const described = options["data-file"];
  if ((header.incompatible & BigInt(INCOMPATIBLE.dataFile)) === 0n) {
    if (described !== undefined) {
      throw formatError("'data-file' can only be set for images with an external data file");
    }
    if ((header.autoclear & BigInt(AUTOCLEAR.dataFileRaw)) !== 0n) {
      throw formatError("data-file-raw requires a data file");
    }
    return file;
  }
  const filename = extensions.dataFile;
  if (openChild === undefined || (described === undefined && (filename === undefined || filename === ""))) {
    throw formatError("'data-file' is required for this image");
  }
  const how: ChildOptions = described === undefined && filename !== undefined ? { filename } : {};
  return new HostFile(await openChild("data-file", described, how));
}
