import { assertEquals, assertStringIncludes } from "@std/assert";
import { isStarter, quote, starterText } from "./starter.ts";

const PERMISSIONS = {
  machine: { read: true, net: true, sys: ["uid"] },
  images: { read: true },
} as const;

Deno.test("a starter names its program, its permissions and nothing of the task's", () => {
  const starter = {
    deno: "/opt/it's/deno",
    program: "/a b/moa.js",
    besideStarter: ".moa/1/moa.js",
    words: ["--no-config"],
    permissions: PERMISSIONS,
  };
  const img = starterText({ ...starter, name: "qemu-img" });
  assertEquals(isStarter(img), true);
  assertStringIncludes(img, "deno='/opt/it'\\''s/deno'\n");
  assertStringIncludes(img, `exec "$deno" run -q --no-prompt --no-config --allow-read "$program" "$@"\n`);
  const system = starterText({ ...starter, name: "qemu-system-x86_64" });
  assertStringIncludes(system, "--no-config --allow-read --allow-net --allow-sys=uid ");
  const source = starterText({ ...starter, name: "moa", besideStarter: undefined, words: ["--config=/x y/deno.json"] });
  assertStringIncludes(source, "img | io) exec");
  assertStringIncludes(source, " '--config=/x y/deno.json' --allow-read ");
});

Deno.test("only what install wrote is a starter", () => {
  assertEquals(["", "#!/bin/sh\nexec qemu-img\n", "# A starter of moa"].map(isStarter), [false, false, false]);
  assertEquals(["plain/x.y", "a b", "it's", ""].map(quote), ["plain/x.y", "'a b'", "'it'\\''s'", "''"]);
});
