import { assertEquals, assertRejects } from "@std/assert";
import { parseOptionPairs } from "../base/keyval.ts";
import { haveProgram, must, run } from "../tests/support/programs.ts";
import { TempFolder } from "../tests/support/temp.ts";
import { createImage, type CreateRequest, creationDrivers } from "./create.ts";
import { createOptionsHelp } from "./create_options.ts";
import { testGraph } from "./testing.ts";

const haveImg = haveProgram("qemu-img");

/** What `qemu-img create` would print, from moa's own functions. */
async function create(request: CreateRequest): Promise<{ stdout: string; stderr: string }> {
  await using graph = testGraph();
  let stdout = "";
  try {
    await createImage(graph, { ...request, onFormatting: (line) => stdout += `${line}\n` });
    return { stdout, stderr: "" };
  } catch (error) {
    const hint = (error as { hint?: string }).hint;
    const text = (error as Error).message + (hint ? `\n${hint}` : "");
    return { stdout, stderr: `qemu-img: ${request.filename}: ${text}\n` };
  }
}

/** The request that a command line of qemu-img makes. */
function requestOf(args: readonly string[], folder: string): CreateRequest {
  const request: Record<string, unknown> = {};
  const rest: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "-f") request["format"] = args[++at];
    else if (arg === "-o") request["options"] = parseOptionPairs(args[++at]!).pairs;
    else if (arg === "-b") request["backingFile"] = args[++at];
    else if (arg === "-F") request["backingFormat"] = args[++at];
    else if (arg === "-u") request["unsafe"] = true;
    else rest.push(arg);
  }
  const size = rest[1] === undefined ? {} : { size: Number(rest[1]) };
  return { ...request, ...size, filename: rest[0]!.startsWith("/") ? rest[0]! : `${folder}/${rest[0]}` };
}

Deno.test({
  name: "createImage: prints and refuses as qemu-img does, and makes the same bytes",
  ignore: !haveImg,
  async fn() {
    await using ours = await TempFolder.make();
    await using theirs = await TempFolder.make();
    for (const { path: cwd } of [ours, theirs]) {
      await must("qemu-img", ["create", "-q", "-f", "qcow2", "base.qcow2", "1M"], { cwd });
    }
    const lines = [
      "-f qcow2 t",
      "-f nope t 1048576",
      "-f qcow2 -o foo=1 t 1048576",
      "-f qcow2 -o cluster_size=3 t 1048576",
      "-f qcow2 -o cluster_size=x t 1048576",
      "-f qcow2 -o lazy_refcounts=maybe t 1048576",
      "-f qcow2 -o size=2M t 1048576",
      "-f qcow2 -o size=2M t",
      "-f qcow2 -o preallocation=bad t 1048576",
      "-f qcow2 -b base.qcow2 -F nope t",
      "-f qcow2 -b nosuch -F qcow2 t 1048576",
      "-f qcow2 -u -b nosuch -F qcow2 t 1048576",
      "-f qcow2 -b base.qcow2 -F qcow2 t",
      "-f qcow2 -b base.qcow2 -F qcow2 t 4194304",
      "-f qcow2 -b base.qcow2 t",
      "-f qcow2 -o backing_file=base.qcow2,backing_fmt=qcow2,lazy_refcounts=on,compat=1.1 t",
      "-f raw -b base.qcow2 t",
      "-f raw t 1048576",
      "-f raw t 100",
      "-f raw -o preallocation=full,size=3M t",
      "-f qcow2 -F qcow2 t 1048576",
      "-f qcow2 /nosuch/t 1048576",
      "-f file t 1048576",
      "-f null-co t 1048576",
      "-f qcow2 -o nocow=on,compat=0.10 t 1048576",
      "-f qcow2 -o compat=v9 t 1048576",
      "t 1048576",
    ];
    for (const line of lines) {
      await Deno.remove(ours.file("t")).catch(() => {});
      await Deno.remove(theirs.file("t")).catch(() => {});
      const args = line.split(" ");
      const real = await run("qemu-img", ["create", ...requestArgs(args, theirs.path)]);
      const got = await create(requestOf(args, ours.path));
      const local = (text: string) => text.replaceAll(`${ours.path}/`, "").replaceAll(`${theirs.path}/`, "").trimEnd();
      assertEquals([line, local(got.stdout), local(got.stderr)], [line, local(real.stdout), local(real.stderr)]);
      if (real.code !== 0) continue;
      const bytes = async (path: string) => await Deno.readFile(path).catch(() => new Uint8Array());
      assertEquals(await bytes(ours.file("t")), await bytes(theirs.file("t")), line);
    }
  },
});

function requestArgs(args: readonly string[], folder: string): string[] {
  return args.map((arg) => arg === "t" ? `${folder}/t` : arg);
}

Deno.test({
  name: "createImage: -o help is qemu-img's",
  ignore: !haveImg,
  async fn() {
    await using graph = testGraph();
    for (const format of ["raw", "qcow2", "file"]) {
      const real = await must("qemu-img", ["create", "-f", format, "-o", "help", "t"]);
      const { rows } = await creationDrivers(graph, format, "t");
      assertEquals(`Supported options:\n${createOptionsHelp(rows)}`, real);
    }
  },
});

Deno.test("createImage: a protocol that makes no images says so", async () => {
  await using graph = testGraph();
  const error = await assertRejects(() => createImage(graph, { filename: "null-co://", size: 512 }), Error);
  assertEquals(error.message, "Protocol driver 'null-co' does not support image creation");
});
