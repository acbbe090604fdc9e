import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { parseOptionPairs } from "../base/keyval.ts";
import { IoVector } from "../base/io_vector.ts";
import { haveProgram, must, run } from "../tests/support/programs.ts";
import { TempFolder } from "../tests/support/temp.ts";
import type { BlockBackend } from "./backend.ts";
import { openDrive } from "./drive.ts";
import { BlockError } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import { parseBlockdev } from "./options/blockdev_add.ts";
import { parseDrive } from "./options/drive.ts";
import { testGraph } from "./testing.ts";

const haveImg = haveProgram("qemu-img");
const haveSystem = haveProgram("qemu-system-x86_64");

function open(graph: BlockGraph, text: string, name = "ide0-hd0"): Promise<BlockBackend> {
  return openDrive(graph, parseDrive(parseOptionPairs(text).pairs), name);
}

async function refusal(body: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(body, Error);
  return error.message;
}

/** A base and an overlay in a folder, as qemu-img makes them. */
async function chain(temp: TempFolder): Promise<void> {
  await must("qemu-img", ["create", "-q", "-f", "qcow2", "a.qcow2", "1M"], { cwd: temp.path });
  await must("qemu-img", ["create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "o.qcow2"], {
    cwd: temp.path,
  });
}

Deno.test({
  name: "opening: a chain gets QEMU's nodes, in its order, under its names",
  ignore: !haveImg,
  async fn() {
    await using temp = await TempFolder.make();
    await chain(temp);
    await using graph = testGraph();
    await using drive = await open(graph, `file=${temp.file("o.qcow2")}`);
    const shown = graph.nodes.map((node) => `${node.filename.split("/").at(-1)} ${node.driver.name} ${node.readOnly}`);
    assertEquals(shown, ["o.qcow2 file false", "o.qcow2 qcow2 false", "a.qcow2 file true", "a.qcow2 qcow2 true"]);
    graph.nodes.forEach((node, index) => assertMatch(node.name, new RegExp(`^#block${index}\\d\\d$`)));
    assertEquals(drive.node?.backing?.filename, temp.file("a.qcow2"));
  },
});

Deno.test({
  name: "opening: options that make another disk show as json:",
  ignore: !haveImg,
  async fn() {
    await using temp = await TempFolder.make();
    await chain(temp);
    await temp.write("r.img", new Uint8Array(65536));
    const name = async (text: string) => {
      await using graph = testGraph();
      await using drive = await open(graph, text);
      return drive.node!.filename.replaceAll(`${temp.path}/`, "");
    };
    const overlay = `file=${temp.file("o.qcow2")}`;
    const r = temp.file("r.img");
    assertEquals(
      await name(`${overlay},backing.driver=raw,backing.file.filename=${r}`),
      `json:{"backing": {"driver": "raw", "file": {"driver": "file", "filename": "r.img"}}, "driver": "qcow2", ` +
        `"file": {"driver": "file", "filename": "o.qcow2"}}`,
    );
    assertEquals(
      await name(`${overlay},backing=`),
      `json:{"backing": null, "driver": "qcow2", "file": {"driver": "file", "filename": "o.qcow2"}}`,
    );
    assertEquals(await name(`${overlay},backing.file.locking=off,l2-cache-size=1M`), "o.qcow2");
    assertEquals(
      await name(`file=${r},format=raw,size=512`),
      `json:{"driver": "raw", "size": "512", "file": {"driver": "file", "filename": "r.img"}}`,
    );
    assertEquals(await name(`file=blkdebug::${r},format=raw`), `blkdebug::r.img`);
    const header = `json:{"driver":"qcow2","file":{"driver":"file","filename":"${temp.file("a.qcow2")}"}}`;
    const args = ["create", "-q", "-f", "qcow2", "-b", header, "-F", "qcow2", temp.file("jb")];
    await must("qemu-img", args);
    assertEquals(await name(`file=${temp.file("jb")}`), "jb");
    assertEquals(await name("file=null-co://,format=raw"), "null-co://");
    assertEquals(await name(`file=json:{"file.filename":"${temp.file("o.qcow2")}"}`), "o.qcow2");
  },
});

Deno.test({
  name: "opening: refusals are QEMU's own, byte for byte",
  ignore: !haveImg || !haveSystem,
  async fn() {
    await using temp = await TempFolder.make();
    await chain(temp);
    await temp.write("r.img", new Uint8Array(65536));
    const { cwd, at } = { cwd: temp.path, at: (name: string) => temp.file(name) };
    await must("qemu-img", ["create", "-q", "-u", "-f", "qcow2", "-b", "nosuch", "-F", "qcow2", "nb", "1M"], { cwd });
    const lines = [
      `file=${at("nosuch")}`,
      `file=${at("o.qcow2")},foo=bar`,
      `file=${at("o.qcow2")},format=nope`,
      `file=${at("o.qcow2")},node-name=1a`,
      `file=${at("o.qcow2")},file.foo=1`,
      `file=${at("o.qcow2")},file.driver=nope`,
      `file=${at("o.qcow2")},file.locking=bad`,
      `file=${at("r.img")},format=qcow2`,
      `file=${at("r.img")},format=raw,offset=2M`,
      `file=${at("r.img")},format=raw,size=7`,
      `file=${at("nb")}`,
      "file=foo:bar",
      "driver=qcow2",
      "driver=null-co,foo=1",
      "driver=raw,file.driver=file",
      "file=json:{bad",
      "file=null-co://x",
    ];
    for (const line of lines) {
      const args = ["-nodefaults", "-display", "none", "-S", "-accel", "tcg", "-drive", `${line},if=none,id=d`];
      const { stderr } = await run("qemu-system-x86_64", args, { cwd });
      await using graph = testGraph();
      const message = await refusal(() => open(graph, line));
      assertEquals(`qemu-system-x86_64: -drive ${line},if=none,id=d: ${message}\n`, stderr);
      assertEquals([graph.nodes, graph.backends.size], [[], 0], line);
    }
  },
});

Deno.test("opening: a guessed raw image warns, and block 0 may not become another format's", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("r.img", new Uint8Array(65536));
  const notices: string[] = [];
  await using graph = testGraph({ notice: (line) => notices.push(line) });
  await using drive = await open(graph, `file=${path}`);
  assertEquals(notices, [
    `WARNING: Image format was not specified for '${path}' and probing guessed raw.`,
    "         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.",
    "         Specify the 'raw' format explicitly to remove the restrictions.",
  ]);
  const magic = new Uint8Array(512);
  magic.set([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]);
  const refused = await refusal(() => drive.write(0, IoVector.of(magic)));
  assertEquals(refused, "Operation not permitted");
  await drive.write(512, IoVector.of(magic));
  await drive.write(0, IoVector.of(new Uint8Array(512).fill(1)));
});

Deno.test({
  name: "opening: a loop of backing files ends",
  ignore: !haveImg,
  async fn() {
    await using temp = await TempFolder.make();
    const create = (name: string, backing: string) =>
      must("qemu-img", ["create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", "qcow2", name, "1M"], {
        cwd: temp.path,
      });
    await create("l1", "l2");
    await create("l2", "l1");
    await using graph = testGraph();
    const message = await refusal(() => open(graph, `file=${temp.file("l1")},read-only=on`));
    assert(message.endsWith(`Backing file '${temp.file("l1")}' creates an infinite loop.`), message);
    assertEquals(graph.nodes, []);
  },
});

Deno.test({
  name: "snapshot=on: writes go to an overlay that is removed at the end",
  ignore: !haveImg,
  async fn() {
    await using temp = await TempFolder.make();
    await chain(temp);
    const before = await Deno.readFile(temp.file("o.qcow2"));
    const temporary = { create: () => temp.write("vl.ABCDEF", ""), remove: (name: string) => Deno.remove(name) };
    await using graph = testGraph({ temporary });
    {
      await using drive = await open(graph, `file=${temp.file("o.qcow2")},snapshot=on`);
      await drive.write(0, IoVector.of(new Uint8Array(512).fill(5)));
      const read = IoVector.allocate(512);
      await drive.read(0, read);
      assertEquals(read.toBytes()[0], 5);
      assertEquals(drive.node!.filename.includes("vl.ABCDEF"), true);
      assertEquals(drive.node!.name.slice(0, 7), "#block8");
      assertEquals([drive.node!.cacheNoFlush, drive.node!.backing!.readOnly], [true, true]);
    }
    assertEquals(graph.nodes, []);
    assertEquals(await Deno.readFile(temp.file("o.qcow2")), before);
    await assertRejects(() => Deno.stat(temp.file("vl.ABCDEF")), Deno.errors.NotFound);
  },
});

Deno.test("blockdev: names, references and users", async () => {
  await using graph = testGraph();
  await graph.open(parseBlockdev("null-co,node-name=a"));
  const table: Record<string, string> = {
    "null-co,node-name=a": "Duplicate nodes with node-name='a'",
    "raw,node-name=r,file=nosuch": "Cannot find device='nosuch' nor node-name='nosuch'",
    "null-co,node-name=1": "Invalid node-name: '1'",
    "null-co,node-name=": "Invalid node-name: ''",
    "null-co,node-name=#block1": "Invalid node-name: '#block1'",
    "null-co,node-name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "Node name too long",
    "null-co,node-name=n,latency-ns=-1": "latency-ns is invalid",
    "null-co,node-name=n,force-share=on": "force-share=on can only be used with read-only images",
    "null-co,node-name=n,detect-zeroes=unmap":
      "setting detect-zeroes to unmap is not allowed without setting discard operation to unmap",
  };
  for (const [text, message] of Object.entries(table)) {
    assertEquals([text, await refusal(() => graph.open(parseBlockdev(text)))], [text, message]);
  }
  const raw = await graph.open(parseBlockdev("raw,node-name=r,file=a"));
  await graph.release(graph.find("a")!);
  assertEquals(graph.nodes.length, 2);
  await graph.release(raw);
  assertEquals(graph.nodes, []);
});

Deno.test("opening: a signal ends it", async () => {
  await using graph = testGraph();
  const opening = () => graph.open({ driver: "memory", "node-name": "m" }, { signal: AbortSignal.abort() });
  await assertRejects(opening, DOMException);
  assertEquals(graph.nodes, []);
});

Deno.test("errors of a child that cannot be opened leave nothing open", async () => {
  await using graph = testGraph();
  const opening = () =>
    graph.open({ driver: "raw", file: { driver: "memory", size: 512 }, offset: 4096 }) as Promise<unknown>;
  await assertRejects(opening, BlockError, "Offset (4096) cannot be greater than size of the containing file (512)");
  assertEquals(graph.nodes, []);
});
