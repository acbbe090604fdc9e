/**
 * What a user-creatable object is: a type with properties, made before disks are opened and found by its id.
 *
 * Source: qapi/qom.json, ObjectOptions.
 *
 * @module
 */
import type { SecretSource } from "../crypto/secret_source.ts";

/** An object that a user has made. */
export interface UserObject {
  readonly type: string;
  readonly id: string;
}

/** A property by its type's name in help; enumerations list their values. */
export interface PropertyRow {
  readonly type: string;
  readonly values?: readonly string[];
}

/** One type of objects: a row of the registry's table. */
export interface ObjectType {
  readonly name: string;
  readonly properties: Readonly<Record<string, PropertyRow>>;
  /** Makes one of checked properties. @throws {BlockError} */
  make(id: string, properties: Readonly<Record<string, string>>, others: SecretSource): UserObject;
}

/** Every type that QEMU knows; those that moa has not are told apart from what nobody has. */
export const QEMU_OBJECT_TYPES: readonly string[] = [
  "authz-list authz-list-file authz-pam authz-simple can-bus can-host-socketcan colo-compare cryptodev-backend",
  "cryptodev-backend-builtin dbus-vmstate filter-buffer filter-dump filter-mirror filter-redirector filter-replay",
  "filter-rewriter input-barrier input-linux iothread main-loop memory-backend-epc memory-backend-file",
  "memory-backend-memfd memory-backend-ram pr-manager-helper qtest rng-builtin rng-egd rng-random secret",
  "secret_keyring sev-guest thread-context throttle-group tls-cipher-suites tls-creds-anon tls-creds-psk",
  "tls-creds-x509 tls-session x-remote-object",
].join(" ").split(" ");
