/** What `query-qmp-schema` answers: QAPI's SchemaInfo. @module */
import { any, bool, list, marked, oneOf, optional, str, struct, union } from "../../schema/qapi/types.ts";

const features = optional(list(str));
const enumMember = struct({ name: str, features });
const objectMember = struct({ name: str, type: str, default: optional(any), features });
const variant = struct({ case: str, type: str });
const jsonType = oneOf("string", "number", "int", "boolean", "null", "object", "array", "value");

export const schemaInfo = list(union(
  struct({
    name: str,
    "meta-type": oneOf("builtin", "enum", "array", "object", "alternate", "command", "event"),
    features,
  }),
  "meta-type",
  {
    builtin: struct({ "json-type": jsonType }),
    enum: struct({ members: list(enumMember), values: marked(list(str), "deprecated") }),
    array: struct({ "element-type": str }),
    object: struct({ members: list(objectMember), tag: optional(str), variants: optional(list(variant)) }),
    alternate: struct({ members: list(struct({ type: str })) }),
    command: struct({ "arg-type": str, "ret-type": str, "allow-oob": optional(bool) }),
    event: struct({ "arg-type": str }),
  },
));
