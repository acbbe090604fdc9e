/**
 * Making a LUKS image: the file in its full length, then key material, then the header that names it, so that one that is
 * half made is no LUKS image.
 *
 * @module
 */
import { alignUp } from "../../../base/bits.ts";
import { SECTOR_BYTES } from "../../../base/units.ts";
import {
  type CipherChoice,
  type LuksPlan,
  LuksVolume,
  planLuks,
  requiredPassphrase,
  type SecretSource,
} from "../../crypto/mod.ts";
import type {
  CreateContext,
  CreateOption,
  CreateValues,
  MeasureResult,
  MeasureSource,
  PreallocationMode,
} from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import { headerFile } from "./header_file.ts";

/** Rows of `-o help`. */
export const CREATE_OPTIONS: readonly CreateOption[] = [
  { name: "cipher-alg", type: "str", help: "Name of encryption cipher algorithm" },
  { name: "cipher-mode", type: "str", help: "Name of encryption cipher mode" },
  { name: "hash-alg", type: "str", help: "Name of encryption hash algorithm" },
  { name: "iter-time", type: "num", help: "Time to spend in PBKDF in milliseconds" },
  { name: "ivgen-alg", type: "str", help: "Name of IV generator algorithm" },
  { name: "ivgen-hash-alg", type: "str", help: "Name of IV generator hash algorithm" },
  { name: "key-secret", type: "str", help: "ID of the secret that provides the keyslot passphrase" },
  {
    name: "preallocation",
    type: "str",
    help: "Preallocation mode (allowed values: off, falloc, full)",
    needsProtocol: true,
  },
  { name: "size", type: "size", help: "Virtual disk size" },
];

/** Makes an image in `context.file`, which is empty. */
export async function createImage(values: CreateValues, context: CreateContext): Promise<void> {
  const { plan, passphrase } = planImage(values, context.secrets);
  const preallocation = preallocationOf(values);
  await context.file.truncate(plan.headerBytes + Number(values["size"] ?? 0), { preallocation });
  await LuksVolume.create(headerFile(context.file), plan, passphrase, {
    random: context.random,
    clock: context.clocks.realtime,
  });
}

/** What an image of this size would take. */
export async function measureImage(values: CreateValues, source: MeasureSource): Promise<MeasureResult> {
  const { plan } = planImage(values, source.secrets ?? { secret: () => new Uint8Array(0) });
  const bytes = plan.headerBytes + alignUp(source.sizeBytes, SECTOR_BYTES);
  return { requiredBytes: bytes, fullyAllocatedBytes: bytes };
}

function planImage(values: CreateValues, secrets: SecretSource): { plan: LuksPlan; passphrase: Uint8Array } {
  const text = (name: string) => values[name] === undefined ? undefined : String(values[name]);
  const choice: CipherChoice = {
    cipherAlg: text("cipher-alg"),
    cipherMode: text("cipher-mode"),
    ivgenAlg: text("ivgen-alg"),
    ivgenHashAlg: text("ivgen-hash-alg"),
    hashAlg: text("hash-alg"),
  };
  const iterTimeMs = values["iter-time"] === undefined ? undefined : Number(values["iter-time"]);
  // The algorithms' names are looked at before the passphrase is missed, whether they go together after.
  const plan = planLuks({ ...choice, iterTimeMs });
  return { plan, passphrase: requiredPassphrase(secrets, text("key-secret"), "") };
}

function preallocationOf(values: CreateValues): PreallocationMode {
  const mode = String(values["preallocation"] ?? "off");
  if (mode === "falloc" || mode === "full") return mode;
  // All metadata is there from the beginning.
  if (mode === "off" || mode === "metadata") return "off";
  throw new BlockError({ kind: "option", option: "preallocation", text: `invalid parameter value: ${mode}` });
}
