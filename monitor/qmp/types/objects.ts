/**
 * QAPI's ObjectOptions, made of the types of objects that there are.
 *
 * Source: qapi/qom.json.
 *
 * @module
 */
import { OBJECT_TYPES, type PropertyRow } from "../../../block/mod.ts";
import {
  bool,
  int,
  type Member,
  oneOf,
  str,
  struct,
  type StructShape,
  type Type,
  union,
} from "../../schema/qapi/types.ts";

/** Names of QEMU's types of objects. */
const objectType = oneOf(
  ...("authz-list authz-listfile authz-pam authz-simple can-bus can-host-socketcan colo-compare cryptodev-backend " +
    "cryptodev-backend-builtin cryptodev-backend-lkcf cryptodev-vhost-user dbus-vmstate filter-buffer filter-dump " +
    "filter-mirror filter-redirector filter-replay filter-rewriter input-barrier input-linux iothread main-loop " +
    "memory-backend-epc memory-backend-file memory-backend-memfd memory-backend-ram pef-guest pr-manager-helper qtest " +
    "rng-builtin rng-egd rng-random secret secret_keyring sev-guest thread-context s390-pv-guest throttle-group " +
    "tls-creds-anon tls-creds-psk tls-creds-x509 tls-cipher-suites x-remote-object x-vfio-user-server").split(" "),
);

function typeOf(row: PropertyRow): Type {
  if (row.members !== undefined) {
    const members = row.members.map((name): [string, Member] => [name, { type: int, optional: true }]);
    return { kind: "struct", members: Object.fromEntries(members) };
  }
  if (row.values !== undefined) return oneOf(...row.values);
  return row.type === "int" ? int : row.type === "bool" ? bool : str;
}

function optionsOf(properties: Readonly<Record<string, PropertyRow>>): Type & StructShape {
  const members: Record<string, Member> = {};
  for (const [name, row] of Object.entries(properties)) {
    const feature = name.startsWith("x-") ? "unstable" : row.deprecated === true ? "deprecated" : undefined;
    const features = feature === undefined ? {} : { features: [feature] };
    members[name] = { type: typeOf(row), optional: true, ...features };
  }
  return { kind: "struct", members };
}

/** What an object is made with. */
export const objectOptions = union(
  struct({ "qom-type": objectType, id: str }),
  "qom-type",
  Object.fromEntries(OBJECT_TYPES.map(({ name, properties }) => [name, optionsOf(properties)])),
);
