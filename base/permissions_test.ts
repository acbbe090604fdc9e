import { assertEquals, assertStringIncludes } from "@std/assert";
import { commandLine } from "./permissions.ts";

Deno.test("the command line names the set, the file as seen from here, and quotes what a shell would split", () => {
  const module = `file://${Deno.cwd()}/scripts/a.ts`;
  assertEquals(
    commandLine("script", module, ["--disk", "a b's.img"]),
    "deno run -P=script scripts/a.ts --disk 'a b'\\''s.img'",
  );
});

Deno.test("without permissions and without a terminal a program says what to type and ends with 2", async () => {
  const file = new URL("./permissions.ts", import.meta.url).href;
  const { code, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--no-prompt",
      "--no-lock",
      `import { requirePermissions } from ${JSON.stringify(file)}; requirePermissions("script"); console.log("ran");`,
    ],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  // `deno eval` has every permission: it must run on.
  assertEquals([code, text.decode(stdout), text.decode(stderr)], [0, "ran\n", ""]);

  const script = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      script,
      `import { requirePermissions } from ${JSON.stringify(file)};\nrequirePermissions("script");\n`,
    );
    const bare = await new Deno.Command(Deno.execPath(), { args: ["run", "--no-lock", script], stdin: "null" })
      .output();
    assertEquals(bare.code, 2);
    const config = new URL("../deno.json", import.meta.url).pathname.replace(`${Deno.cwd()}/`, "");
    assertStringIncludes(text.decode(bare.stderr), `deno run --config=${config} -P=script ${script}`);
    assertEquals(text.decode(bare.stderr).includes(" at "), false);
  } finally {
    await Deno.remove(script);
  }
});
