/**
 * Encryption of an image that is being made: what the options ask for, and the header that it takes.
 *
 * Source: qapi/block-core.json, BlockdevCreateOptionsQcow2; the place of the encryption header is the one that QEMU gives
 * it: behind everything that was allocated before.
 *
 * @module
 */
import { alignUp } from "../../../base/bits.ts";
import type { LuksPlan } from "../../crypto/mod.ts";
import type { SecretSource } from "../../crypto/secret_source.ts";
import type { CreateContext, CreateValues } from "../../driver.ts";
import { CRYPT_METHOD, headerFile } from "./encryption.ts";
import { optionError } from "./failures.ts";
import type { Qcow2Image } from "./image.ts";

/** How a new image is encrypted. */
export type EncryptionPlan =
  | { readonly format: "aes" }
  | { readonly format: "luks"; readonly luks: LuksPlan; readonly passphrase: Uint8Array };

/** What the options ask for; `undefined`: no encryption. @throws {BlockError} in QEMU's words */
export async function planEncryption(
  values: CreateValues,
  secrets: SecretSource,
): Promise<EncryptionPlan | undefined> {
  const given = new Map(
    Object.entries(values).filter(([name]) => name.startsWith("encrypt."))
      .map(([name, value]) => [name.slice("encrypt.".length), String(value)]),
  );
  if (values["encryption"] === true) {
    if (given.has("format")) {
      throw optionError("'encrypt.format' and its alias 'encryption' can't be used at the same time");
    }
    given.set("format", "aes");
  }
  if (given.size === 0) return undefined;
  const format = given.get("format");
  if (format === undefined) throw optionError("Parameter 'encrypt.format' is missing", "encrypt.format");
  if (format !== "aes" && format !== "luks") {
    throw optionError(`Parameter 'format' does not accept value '${format}'`, "encrypt.format");
  }
  if (format === "aes") {
    const unknown = [...given.keys()].find((name) => name !== "format" && name !== "key-secret");
    if (unknown !== undefined) throw optionError(`Parameter 'encrypt.${unknown}' is unexpected`, `encrypt.${unknown}`);
  }
  const crypto = await import("../../crypto/mod.ts");
  const iterTime = given.get("iter-time");
  const choice = {
    cipherAlg: given.get("cipher-alg"),
    cipherMode: given.get("cipher-mode"),
    ivgenAlg: given.get("ivgen-alg"),
    ivgenHashAlg: given.get("ivgen-hash-alg"),
    hashAlg: given.get("hash-alg"),
    iterTimeMs: iterTime === undefined ? undefined : Number(iterTime),
  };
  const luks = format === "luks" ? crypto.planLuks(choice) : undefined;
  const passphrase = crypto.requiredPassphrase(secrets, given.get("key-secret"), "encrypt.");
  return luks === undefined ? { format: "aes" } : { format: "luks", luks, passphrase };
}

/** Bytes that the encryption of an image with these options takes. */
export async function encryptionBytes(
  values: CreateValues,
  secrets: SecretSource,
  clusterSize: number,
): Promise<number> {
  const isLuks = values["encrypt.format"] === "luks";
  const plan = isLuks ? await planEncryption(values, secrets) : undefined;
  return plan?.format === "luks" ? alignUp(plan.luks.headerBytes, clusterSize) : 0;
}

/** Gives an image, which has no data yet, its encryption; the method is in the header last. */
export async function setUpEncryption(
  image: Qcow2Image,
  plan: EncryptionPlan,
  context: Pick<CreateContext, "random" | "clocks">,
): Promise<void> {
  if (plan.format === "aes") {
    image.header.cryptMethod = CRYPT_METHOD.aes;
    return await image.writeHeader();
  }
  const { luks, passphrase } = plan;
  const { LuksVolume } = await import("../../crypto/mod.ts");
  const clusters = alignUp(luks.headerBytes, image.clusterSize) / image.clusterSize;
  const offset = await image.lock.run(() => image.allocator.allocate(clusters));
  await image.file.writeZeroes(offset, clusters * image.clusterSize);
  const place = { offset, lengthBytes: luks.headerBytes };
  const { random, clocks } = context;
  await LuksVolume.create(headerFile(image.file, place), luks, passphrase, { random, clock: clocks.realtime });
  image.extensions.encryption = place;
  image.header.cryptMethod = CRYPT_METHOD.luks;
  await image.writeHeader();
}
