import { assertEquals } from "@std/assert";
import { suggest } from "./suggest.ts";

Deno.test("the nearest word is suggested, a far one is not", () => {
  const known = ["create", "info", "check", "snapshot"];
  assertEquals(["craete", "inf", "ckeck", "snapshots", "rebase", ""].map((typed) => suggest(typed, known)), [
    "create",
    "info",
    "check",
    "snapshot",
    undefined,
    undefined,
  ]);
});
