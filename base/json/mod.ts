/** JSON as QEMU reads and prints it: exact integers, single quotes, its error texts, its order of keys. @module */
export { isJsonObject, JsonDouble, JsonError, type JsonObject, type JsonValue } from "./value.ts";
export { type JsonMessage, JsonStream, parseJson } from "./stream.ts";
export { formatDouble, JsonWriter, quoted } from "./writer.ts";
