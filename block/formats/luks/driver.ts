/**
 * The `luks` driver: a disk behind a LUKS version 1 header, all of it encrypted.
 *
 * Zeroes are written as encrypted zeroes and nothing is discarded, since holes in the file would tell what is in use.
 * Left out: detached headers, LUKS version 2.
 *
 * Source: [LUKS1]; qapi/block-core.json, BlockdevOptionsLUKS.
 *
 * @module
 */
import type { IoVector } from "../../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../../base/units.ts";
import {
  keySlotOptions,
  looksLikeLuks,
  LuksVolume,
  readEncrypted,
  requiredPassphrase,
  type SectorCipher,
  writeEncrypted,
} from "../../crypto/mod.ts";
import type {
  AmendChange,
  BlockDriver,
  DriverDefinition,
  DriverInfo,
  Extent,
  OpenContext,
  Reopening,
  RequestLimits,
  TruncateOptions,
} from "../../driver.ts";
import { BlockError, ioError } from "../../errors.ts";
import type { BlockNode } from "../../node.ts";
import type { BlockdevOptionsLuks } from "../../options/blockdev.ts";
import { CREATE_OPTIONS, createImage, measureImage } from "./create.ts";
import { headerFile } from "./header_file.ts";

class LuksDriver implements BlockDriver {
  readonly reopening: Reopening = { options: [] };
  readonly name = "luks";
  readonly limits: RequestLimits;
  readonly #file: BlockNode;
  readonly #volume: LuksVolume;
  readonly #context: OpenContext;
  readonly #cipher: SectorCipher | undefined;
  readonly #start: number;

  constructor(file: BlockNode, volume: LuksVolume, context: OpenContext) {
    this.#file = file;
    this.#volume = volume;
    this.#context = context;
    this.#cipher = volume.isUnlocked ? volume.cipher() : undefined;
    this.#start = volume.payloadOffset;
    this.limits = { alignBytes: Math.max(SECTOR_BYTES, file.driver.limits.alignBytes) };
  }

  get size(): number {
    return this.#file.size - this.#start;
  }

  read(at: number, into: IoVector): Promise<void> {
    if (this.#cipher === undefined) return Promise.reject(ioError("read", "EPERM"));
    return readEncrypted(this.#file, this.#cipher, this.#start + at, at, into);
  }

  write(at: number, from: IoVector): Promise<void> {
    if (this.#cipher === undefined) return Promise.reject(ioError("write", "EPERM"));
    return writeEncrypted(this.#file, this.#cipher, this.#start + at, at, from);
  }

  writeZeroes(): Promise<void> {
    return Promise.reject(ioError("write-zeroes", "ENOTSUP"));
  }

  discard(): Promise<void> {
    return Promise.reject(ioError("discard", "ENOTSUP"));
  }

  flush(): Promise<void> {
    return this.#file.flush();
  }

  async status(_at: number, length: number): Promise<Extent> {
    return { lengthBytes: length, kind: "data", allocated: true };
  }

  async truncate(size: number, how?: TruncateOptions): Promise<void> {
    await this.#file.truncate(this.#start + size, how);
  }

  allocatedBytes(): Promise<number | undefined> {
    return this.#file.driver.allocatedBytes?.() ?? Promise.resolve(undefined);
  }

  async info(): Promise<DriverInfo> {
    return { encrypted: true, specific: this.#volume.info() };
  }

  async amend(change: AmendChange): Promise<void> {
    if (change.keySlots === undefined) return;
    const { random, clocks, secrets } = this.#context;
    await this.#volume.changeKeySlots(change.keySlots, { random, clock: clocks.realtime, secrets });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cipher?.[Symbol.dispose]();
  }
}

async function open(options: BlockdevOptionsLuks, context: OpenContext): Promise<BlockDriver> {
  const file = await context.openChild("file", options.file);
  const passphrase = context.metadataOnly === true
    ? undefined
    : requiredPassphrase(context.secrets, options["key-secret"], "");
  const volume = await LuksVolume.open(headerFile(file), passphrase);
  if (volume.payloadOffset > file.size) {
    const text = "Could not refresh total sector count: Input/output error";
    throw new BlockError({ kind: "format", format: "luks", text, errno: "EIO" });
  }
  return new LuksDriver(file, volume, context);
}

/** LUKS version 1, as dm-crypt has it. */
export const luks: DriverDefinition<BlockdevOptionsLuks> = {
  name: "luks",
  kind: "format",
  probe: (head) => looksLikeLuks(head) ? 100 : 0,
  open,
  createOptions: CREATE_OPTIONS,
  amendOptions: keySlotOptions(""),
  measure: measureImage,
  create: createImage,
};
