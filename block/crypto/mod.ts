/**
 * Encryption of disks: ciphers over sectors, LUKS headers and their key slots, passphrases from secrets.
 *
 * @module
 */
export * from "./algorithms.ts";
export * from "./encrypted_file.ts";
export type { HeaderFile } from "./key_slots.ts";
export * from "./key_slot_change.ts";
export * from "./key_slot_options.ts";
export { looksLikeLuks, payloadOffsetFor } from "./luks_header.ts";
export * from "./luks_volume.ts";
export * from "./secret_source.ts";
export { SectorCipher } from "./sector_cipher.ts";
