/** What images are made and changed with. Source: qapi/block-core.json, BlockdevCreateOptions; qapi/crypto.json. @module */
import { bool, empty, extend, int, oneOf, optional, size, str, struct, union } from "../../schema/qapi/types.ts";
import { blockdevDriver } from "./block.ts";
import { blockdevRef } from "./blockdev.ts";
import { cipherAlgorithm, cipherMode, hashAlgorithm, ivGenerator } from "./images.ts";

const preallocation = optional(oneOf("off", "metadata", "falloc", "full"));

const luksMembers = {
  "key-secret": optional(str),
  "cipher-alg": optional(cipherAlgorithm),
  "cipher-mode": optional(cipherMode),
  "ivgen-alg": optional(ivGenerator),
  "ivgen-hash-alg": optional(hashAlgorithm),
  "hash-alg": optional(hashAlgorithm),
  "iter-time": optional(int),
};

const qcow2Encryption = union(struct({ format: oneOf("qcow", "luks") }), "format", {
  qcow: struct({ "key-secret": optional(str) }),
  luks: struct(luksMembers),
});

/** QAPI's BlockdevCreateOptions, of the drivers that are here. */
export const createOptions = union(struct({ driver: blockdevDriver }), "driver", {
  file: struct({
    filename: str,
    size,
    preallocation,
    nocow: optional(bool),
    "extent-size-hint": optional(size),
  }),
  luks: struct({ ...luksMembers, file: blockdevRef, size, preallocation }),
  qcow2: struct({
    file: blockdevRef,
    "data-file": optional(blockdevRef),
    "data-file-raw": optional(bool),
    "extended-l2": optional(bool),
    size,
    version: optional(oneOf("v2", "v3")),
    "backing-file": optional(str),
    "backing-fmt": optional(blockdevDriver),
    encrypt: optional(qcow2Encryption),
    "cluster-size": optional(size),
    preallocation,
    "lazy-refcounts": optional(bool),
    "refcount-bits": optional(int),
    "compression-type": optional(oneOf("zlib", "zstd")),
  }),
});

const keySlot = struct({
  state: oneOf("active", "inactive"),
  "new-secret": optional(str),
  "old-secret": optional(str),
  keyslot: optional(int),
  "iter-time": optional(int),
  secret: optional(str),
});

/** QAPI's BlockdevAmendOptions. */
export const amendOptions = union(struct({ driver: blockdevDriver }), "driver", {
  luks: extend(keySlot, {}),
  qcow2: struct({
    encrypt: optional(union(struct({ format: oneOf("qcow", "luks") }), "format", { luks: keySlot, qcow: empty })),
  }),
});
