/**
 * What a user-creatable object is: a type with properties, made before disks are opened and found by its id.
 *
 * Source: qapi/qom.json, ObjectOptions.
 *
 * @module
 */
import type { SecretSource } from "../crypto/secret_source.ts";

/** What a property holds. */
export type PropertyValue = string | number | boolean | Readonly<Record<string, number>>;

/** An object that a user has made. */
export interface UserObject {
  readonly type: string;
  readonly id: string;
  /** Somebody uses it: it cannot be taken away. */
  readonly isInUse?: boolean;
  /** The value of a property; `undefined` where it has none to show. */
  get(property: string): PropertyValue | undefined;
  /** Changes a property to a value that was checked by its row. @throws {BlockError} */
  set(property: string, value: PropertyValue): void;
}

/** A property by its type's name in help; enumerations list their values, objects the names of their numbers. */
export interface PropertyRow {
  readonly type: string;
  readonly values?: readonly string[];
  readonly members?: readonly string[];
  /** Still taken, with no effect, and not listed. */
  readonly deprecated?: true;
}

/** One type of objects: a row of the registry's table. */
export interface ObjectType {
  readonly name: string;
  /** The type that it is made from. */
  readonly parent: string;
  /** What an object is made with, in the order in which QEMU checks it. */
  readonly properties: Readonly<Record<string, PropertyRow>>;
  /** What `qom-list` shows besides `type`, in its order. */
  readonly listed: readonly { readonly name: string; readonly type: string }[];
  /** Makes one of checked properties. @throws {BlockError} */
  make(id: string, properties: Readonly<Record<string, PropertyValue>>, others: SecretSource): UserObject;
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
