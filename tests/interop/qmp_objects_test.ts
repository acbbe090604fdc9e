/**
 * Objects, filters and their properties by QMP, beside the real program: every line compared.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram, must } from "../support/programs.ts";
import { qmpDialogue } from "../support/qmp_dialogue.ts";
import { TempFolder } from "../support/temp.ts";

const QEMU = "qemu-system-x86_64";

const ask = (execute: string, data: Readonly<Record<string, unknown>> = {}) =>
  JSON.stringify({ execute, arguments: data });
const add = (type: string | undefined, id: string | undefined, rest: Readonly<Record<string, unknown>> = {}) =>
  ask("object-add", { "qom-type": type, id, ...rest });
const get = (path: string, property: string) => ask("qom-get", { path, property });
const set = (path: string, property: string, value: unknown) => ask("qom-set", { path, property, value });
const prompt = (line: string) => ask("human-monitor-command", { "command-line": line });
const node = (data: Readonly<Record<string, unknown>>) => ask("blockdev-add", { "node-name": "n", ...data });
const remove = ask("blockdev-del", { "node-name": "n" });
const look = ask("query-named-block-nodes", { flat: true });
const nul = { driver: "null-co" };
const TG = "/objects/tg";

const OBJECTS: readonly string[] = [
  add("throttle-group", "tg", { limits: { "iops-total": 100 } }),
  add("throttle-group", "tg"),
  add("throttle-group", "g0"),
  add("throttle-group", "1x"),
  add("nosuch", "x"),
  add(undefined, "x"),
  add("throttle-group", undefined),
  add("secret", "s0", { data: "abc" }),
  add("secret", "s1", { data: "abc", foo: 1 }),
  add("throttle-group", "x", { limits: { foo: 1 } }),
  add("throttle-group", "x", { limits: { "iops-total": "1" } }),
  add("throttle-group", "x", { "x-iops-total": "1" }),
  add("throttle-group", "x", { "x-iops-total": -1 }),
  add("throttle-group", "tg2", { "x-iops-total": 100, "x-iops-total-max": 200 }),
  ask("qom-list", { path: TG }),
  ask("qom-list", { path: "tg" }),
  ask("qom-list", { path: "/objects/s0" }),
  ask("qom-list", { path: "/nosuch" }),
  ask("qom-list", { path: "/" }),
  ask("qom-list", { path: "/machine/peripheral" }),
  ask("qom-list", { path: "/machine/peripheral-anon" }),
  get(TG, "limits"),
  get("tg", "limits"),
  get("/objects/tg2", "x-iops-total-max"),
  get(TG, "type"),
  get("/objects/s0", "data"),
  get("/objects/s0", "format"),
  get("/objects/s0", "file"),
  get(TG, "nosuch"),
  get("/objects/zz", "nosuch"),
  set(TG, "limits", { "iops-total": 50, "iops-total-max": 60 }),
  set(TG, "limits", { "iops-total": 50, "iops-read": 60 }),
  set(TG, "limits", { foo: 50 }),
  set(TG, "limits", 5),
  set(TG, "x-iops-total", 5),
  set(TG, "type", "x"),
  set(TG, "nosuch", "x"),
  get(TG, "limits"),
  ...["type", "drive", "unit", "serial", "ver", "realized", "hotplugged", "logical_block_size", "bootindex", "nosuch"]
    .map(
      (name) => get("/machine/peripheral/hd0", name),
    ),
  get("/machine", "type"),
  get("/machine", "nosuch"),
  set("/machine/peripheral/hd0", "unit", 1),
  set("/machine/peripheral/hd0", "nosuch", 1),
  set("/machine/peripheral/hd0", "type", "x"),
  ask("qom-list-properties", { typename: "throttle-group" }),
  ask("qom-list-properties", { typename: "secret" }),
  ask("qom-list-properties", { typename: "nosuch" }),
  ask("qom-list-types", { implements: "nosuch" }),
  ask("qom-list-types", { implements: "throttle-group" }),
  ask("object-del", { id: "nosuch" }),
  ask("object-del", { id: "tg" }),
  ask("object-del", { id: "s0" }),
  ...[
    "object_add throttle-group,id=h0,x-iops-total=5",
    "object_add throttle-group,id=h0",
    'object_add {"qom-type":"throttle-group","id":"h2"}',
    "object_add",
    "object_add foo,id=x",
    "object_add throttle-group",
    "object_add throttle-group,help",
    "object_del h0",
    "object_del h0",
    "object_del",
    "qom-list",
    "qom-list /objects/tg2",
    "qom-list /nosuch",
    "qom-list x",
    "qom-get /objects/tg2 limits",
    "qom-get /objects/tg2 x-iops-total",
    "qom-get /objects/tg2 type",
    "qom-get /objects/tg2 zz",
    "qom-get /objects/tg2",
    "qom-get",
    "qom-set /objects/tg2 zz 5",
    "qom-set /objects/zz zz 5",
    'qom-set -j /objects/tg2 limits {"iops-total":7}',
    'qom-set -j /objects/tg2 limits {"iops-total":',
    "qom-set -j /objects/tg2 limits 5",
    "qom-get /objects/tg2 limits",
    "qom-set",
    ...["object_add", "object_del", "qom-list", "qom-get", "qom-set"].map((name) => `help ${name}`),
  ].map(prompt),
];

const NODES: readonly string[] = [
  add("throttle-group", "tg", { "x-iops-total": 100 }),
  ...[
    { driver: "copy-on-read", file: nul },
    { driver: "compress", file: { driver: "qcow2", file: { driver: "file", filename: "c.qcow2" } } },
    { driver: "throttle", "throttle-group": "tg", file: nul },
    { driver: "throttle", "throttle-group": "nope", file: nul },
    { driver: "throttle", "throttle-group": "g0", file: nul },
    { driver: "quorum", "vote-threshold": 1, children: [nul, nul] },
    { driver: "blkverify", raw: nul, test: nul },
    { driver: "blklogwrites", file: nul, log: { driver: "null-co", size: 0 } },
    { driver: "preallocate", file: nul },
    { driver: "snapshot-access", file: nul },
  ].flatMap((data) => [node(data), look, ask("object-del", { id: "tgx" }), remove]),
  node({ driver: "throttle", "throttle-group": "tg", file: nul }),
  ask("object-del", { id: "tg" }),
  remove,
  ask("object-del", { id: "tg" }),
  ...[
    { driver: "throttle", file: nul },
    { driver: "quorum", "vote-threshold": 1, children: [nul, 5] },
    { driver: "quorum", "vote-threshold": 1, children: [{ ...nul, foo: 1 }] },
    { driver: "quorum", "vote-threshold": "x", children: [nul] },
    { driver: "quorum", "vote-threshold": "x", children: 5 },
    { driver: "quorum", "vote-threshold": 1 },
    { driver: "copy-before-write", file: nul },
    { driver: "copy-before-write", file: nul, target: nul, bitmap: { node: "x", name: "y" } },
    { driver: "copy-before-write", file: nul, target: nul, "on-cbw-error": "foo" },
  ].map(node),
];

for (const [name, requests] of [["objects and their properties", OBJECTS], ["filters as nodes", NODES]] as const) {
  Deno.test({
    name: `QMP as QEMU's: ${name}`,
    ignore: !haveProgram(QEMU),
    async fn() {
      const sides = await Promise.all([QEMU, "moa"].map(async (program) => {
        await using temp = await TempFolder.make();
        await must("sh", ["-ec", "qemu-img create -q -f raw r.raw 1M; qemu-img create -q -f qcow2 c.qcow2 1M"], {
          cwd: temp.path,
        });
        const drive = "file=r.raw,format=raw,if=none,id=d0,iops=5,group=g0";
        const args = ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", "-drive", drive];
        const all = [...args, "-device", "ide-hd,drive=d0,id=hd0", "-device", "ide-cd", "-qmp", "stdio"];
        return await qmpDialogue(program, { name: QEMU, args: all, folder: temp.path }, requests);
      }));
      const [theirs, ours] = sides as [typeof sides[0], typeof sides[0]];
      for (let i = 0; i < requests.length; i++) assertEquals(ours[i], theirs[i]);
    },
  });
}
