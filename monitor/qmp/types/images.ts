/** What is told of an image: QAPI's ImageInfo and what it holds. Source: qapi/block-core.json, qapi/crypto.json. @module */
import {
  bool,
  empty,
  int,
  list,
  oneOf,
  optional,
  recursive,
  str,
  struct,
  type Type,
  union,
} from "../../schema/qapi/types.ts";

export const snapshotInfo = struct({
  id: str,
  name: str,
  "vm-state-size": int,
  "date-sec": int,
  "date-nsec": int,
  "vm-clock-sec": int,
  "vm-clock-nsec": int,
  icount: optional(int),
});

/** QCryptoHashAlgorithm. */
export const hashAlgorithm = oneOf("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "ripemd160");

/** QCryptoCipherAlgorithm. */
export const cipherAlgorithm = oneOf(
  "aes-128",
  "aes-192",
  "aes-256",
  "des",
  "3des",
  "cast5-128",
  "serpent-128",
  "serpent-192",
  "serpent-256",
  "twofish-128",
  "twofish-192",
  "twofish-256",
);
/** QCryptoCipherMode. */
export const cipherMode = oneOf("ecb", "cbc", "xts", "ctr");
/** QCryptoIVGenAlgorithm. */
export const ivGenerator = oneOf("plain", "plain64", "essiv");

const luksInfo = struct({
  "cipher-alg": cipherAlgorithm,
  "cipher-mode": cipherMode,
  "ivgen-alg": ivGenerator,
  "ivgen-hash-alg": optional(hashAlgorithm),
  "hash-alg": hashAlgorithm,
  "payload-offset": int,
  "master-key-iters": int,
  uuid: str,
  slots: list(struct({ active: bool, iters: optional(int), stripes: optional(int), "key-offset": int })),
});

const qcow2Info = struct({
  compat: str,
  "data-file": optional(str),
  "data-file-raw": optional(bool),
  "extended-l2": optional(bool),
  "lazy-refcounts": optional(bool),
  corrupt: optional(bool),
  "refcount-bits": int,
  encrypt: optional(union(struct({ format: oneOf("aes", "luks") }), "format", { luks: luksInfo, aes: empty })),
  bitmaps: optional(list(struct({ name: str, granularity: int, flags: list(oneOf("in-use", "auto")) }))),
  "compression-type": oneOf("zlib", "zstd"),
});

/** QAPI's ImageInfo. Left out of formats that moa does not have: what they know of themselves. */
export interface ImageInfoValue {
  readonly filename: string;
  readonly format: string;
  readonly "virtual-size": number;
  readonly [name: string]: unknown;
}

const vmdkInfo = (image: Type<ImageInfoValue>) =>
  struct({ "create-type": str, cid: int, "parent-cid": int, extents: list(image) });

export const imageInfo = recursive<ImageInfoValue>((self) =>
  struct({
    filename: str,
    format: str,
    "dirty-flag": optional(bool),
    "actual-size": optional(int),
    "virtual-size": int,
    "cluster-size": optional(int),
    encrypted: optional(bool),
    compressed: optional(bool),
    "backing-filename": optional(str),
    "full-backing-filename": optional(str),
    "backing-filename-format": optional(str),
    snapshots: optional(list(snapshotInfo)),
    "backing-image": optional(self),
    "format-specific": optional(union(struct({ type: oneOf("qcow2", "vmdk", "luks", "rbd") }), "type", {
      qcow2: struct({ data: qcow2Info }),
      vmdk: struct({ data: vmdkInfo(self) }),
      luks: struct({ data: luksInfo }),
      rbd: struct({ data: struct({ "encryption-format": optional(oneOf("luks", "luks2")) }) }),
    })),
  })
);
