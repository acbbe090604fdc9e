/**
 * Devices, character devices and what management programs ask first, side by side: the same requests to moa and to the
 * real program, every line compared.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram } from "../support/programs.ts";
import { qmpDialogue } from "../support/qmp_dialogue.ts";
import { TempFolder } from "../support/temp.ts";

const QEMU = "qemu-system-x86_64";

/** A request as one line. */
function ask(execute: string, data?: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(data === undefined ? { execute } : { execute, arguments: data });
}

const prompt = (line: string) => ask("human-monitor-command", { "command-line": line });
const add = (data: Readonly<Record<string, unknown>>) => ask("device_add", data);
const del = (id: string) => ask("device_del", { id });

const chardev = (id: string, type: string, data: Readonly<Record<string, unknown>> = {}) =>
  ask("chardev-add", { id, backend: { type, data } });
const inet = (host: string, port: string) => ({ type: "inet", data: { host, port } });
const udp = (id: string, remote: unknown, local?: unknown) =>
  chardev(id, "udp", { remote, ...(local === undefined ? {} : { local }) });
const object = (data: Readonly<Record<string, unknown>>) => ask("object-add", data);

interface Dialogue {
  readonly name: string;
  readonly args: readonly string[];
  readonly requests: readonly string[];
}

const DIALOGUES: readonly Dialogue[] = [
  {
    name: "devices that cannot come or go",
    args: [
      ..."-drive if=none,id=d0,driver=null-co -device ide-hd,drive=d0,id=h0".split(" "),
      ..."-blockdev null-co,node-name=n0".split(" "),
    ],
    requests: [
      add({ driver: "ide-hd", id: "x", drive: "n0" }),
      add({ driver: "foo" }),
      ask("device_add"),
      add({ driver: 5 }),
      add({ driver: "ide-hd", bus: "ide.7", drive: "n0" }),
      add({ driver: "isa-fdc" }),
      del("nope"),
      del("h0"),
      del("/machine/peripheral/h0"),
      del("/machine/unattached/device[0]"),
      del("/machine"),
      ask("device_del"),
      prompt("device_add ide-hd,drive=n0"),
      prompt("device_add foo"),
      prompt("device_add"),
      prompt("device_del"),
      prompt("device_del h0"),
      prompt("device_del nope"),
    ],
  },
  {
    name: "character devices",
    args: [
      ..."-chardev null,id=n -chardev ringbuf,id=r,size=64 -chardev null,id=x,mux=on".split(" "),
      ..."-chardev memory,id=m -chardev file,id=f,path=out".split(" "),
    ],
    requests: [
      ask("ringbuf-write", { device: "r", data: "hello" }),
      ask("ringbuf-read", { device: "r", size: 3 }),
      ask("ringbuf-read", { device: "r", size: 9, format: "base64" }),
      ask("ringbuf-read", { device: "r", size: 0 }),
      ask("ringbuf-read", { device: "n", size: 3 }),
      ask("ringbuf-write", { device: "q", data: "x" }),
      ask("ringbuf-write", { device: "r", data: "eHl6", format: "base64" }),
      prompt("ringbuf_read r 10"),
      prompt("ringbuf_write r abc"),
      prompt("ringbuf_read r 2"),
      ask("chardev-remove", { id: "zz" }),
      ask("chardev-remove", { id: "n" }),
      ask("chardev-remove", { id: "compat_monitor0" }),
      chardev("r", "null"),
      chardev("new", "null"),
      chardev("new2", "foo"),
      chardev("new2", "file"),
      chardev("new2", "file", { out: "/nonexistent/x" }),
      chardev("new2", "file", { out: 5 }),
      chardev("new4", "ringbuf", { size: 63 }),
      chardev("9x", "ringbuf"),
      chardev("new5", "socket", { addr: { type: "unix", data: { path: "/nonexistent/a" } }, server: false }),
      chardev("new5", "socket", { addr: { type: "unix", data: {} } }),
      chardev("new5", "socket", { addr: { type: "fd", data: { str: "999" } } }),
      chardev("new6", "stdio"),
      ask("chardev-change", { id: "n", backend: { type: "null", data: {} } }),
      ask("chardev-change", { id: "new", backend: { type: "null", data: {} } }),
      ask("chardev-change", { id: "x", backend: { type: "null", data: {} } }),
      ask("chardev-send-break", { id: "zz" }),
      ask("chardev-send-break", { id: "r" }),
      chardev("mx", "mux", { chardev: "m" }),
      chardev("mx2", "mux", { chardev: "none" }),
      add({ driver: "pci-serial", id: "port", chardev: "new" }),
      add({ driver: "pci-serial", chardev: "new" }),
      add({ driver: "pci-serial", chardev: "zz" }),
      ask("chardev-remove", { id: "new" }),
      prompt("chardev-add null,id=hm"),
      prompt("chardev-add foo,id=hm"),
      prompt("chardev-remove hm"),
      prompt("chardev-remove hm"),
      prompt("chardev-change x null"),
      prompt("chardev-send-break qq"),
    ],
  },
  {
    name: "datagrams, sockets by abstract names, the host's serial ports",
    args: [],
    requests: [
      ...[udp("u", inet("127.0.0.1", "0")), udp("u2", inet("", "5555"), inet("127.0.0.1", "0"))],
      udp("u3", { type: "unix", data: { path: "/x" } }),
      udp("u3", { type: "fd", data: { str: "3" } }),
      udp("u3", inet("::1", "5555"), inet("127.0.0.1", "0")),
      udp("u3", inet("127.0.0.1", "5555"), inet("1.2.3.4", "7")),
      udp("u3", inet("127.0.0.1", "abc")),
      ask("chardev-remove", { id: "u" }),
      chardev("tty", "serial", { device: "/dev/nosuch" }),
      chardev("s", "socket", { addr: { type: "unix", data: { path: "moa-none", abstract: true } }, server: false }),
      prompt("chardev-add udp,id=h"),
      prompt("chardev-add udp,id=h,port=5555,host=127.0.0.1"),
      prompt("chardev-add socket,id=h2,path=moa-none,abstract=on"),
      prompt("chardev-add socket,id=h2,path=moa-none,websocket=on"),
    ],
  },
  {
    name: "mice",
    args: [],
    requests: [
      ask("query-mice"),
      ...["info mice", "mouse_set 1", "mouse_set 2", "mouse_set 3", "mouse_set x", "mouse_set"].map(prompt),
      ...["mouse_move", "mouse_move 1", "mouse_move 1 2", "mouse_move a 1+2 0x3", "mouse_move 1 2 3 4"].map(prompt),
      ...["mouse_button", "mouse_button 1", "mouse_button -1", "mouse_button 8"].map(prompt),
      ...["sendkey 0x1ff", "sendkey a 5", "sendkey a -5", "sendkey ctrl-alt-del"].map(prompt),
    ],
  },
  {
    name: "iothreads",
    args: "-object iothread,id=io1 -object iothread,id=io2,poll-max-ns=1000,aio-max-batch=4".split(" "),
    requests: [
      ask("qom-list-types", { implements: "iothread" }),
      ask("qom-list", { path: "/objects/io1" }),
      ask("qom-get", { path: "/objects/io1", property: "poll-max-ns" }),
      ask("qom-set", { path: "/objects/io1", property: "poll-max-ns", value: -1 }),
      ask("qom-set", { path: "/objects/io1", property: "poll-max-ns", value: 77 }),
      ask("qom-get", { path: "/objects/io1", property: "poll-max-ns" }),
      object({ "qom-type": "iothread", id: "io3", "poll-max-ns": -1 }),
      object({ "qom-type": "iothread", id: "io3", "thread-pool-min": 100, "thread-pool-max": 2 }),
      object({ "qom-type": "iothread", id: "io3", foo: 2 }),
      object({ "qom-type": "iothread", id: "io3", "poll-max-ns": "x" }),
      ask("query-iothreads"),
      ask("object-del", { id: "io1" }),
      ask("object-del", { id: "io2" }),
      object({ "qom-type": "iothread", id: "io4", "poll-grow": 3 }),
      prompt("object_add iothread,id=io5"),
      prompt("object_del io5"),
      ask("query-iothreads"),
    ],
  },
  {
    name: "what management programs ask first",
    args: "-m 64".split(" "),
    requests: [
      ask("query-target"),
      ask("query-cpus-fast"),
      ask("query-hotpluggable-cpus"),
      ask("query-memory-size-summary"),
      ask("query-memory-devices"),
      ask("query-memdev"),
      prompt("info iothreads"),
      prompt("info memory_size_summary"),
      ask("query-iothreads"),
      ask("query-balloon"),
      ask("query-tpm"),
      ask("query-vm-generation-id"),
      ask("query-rx-filter"),
      ask("query-rx-filter", { name: "x" }),
      ask("query-acpi-ospm-status"),
      ask("query-replay"),
      ask("query-pci"),
      ask("device-list-properties", { typename: "foo" }),
      ask("device-list-properties", { typename: "iothread" }),
      ask("qom-list-properties", { typename: "iothread" }),
      ask("qom-list-properties", { typename: "foo" }),
      ask("qom-list-types", { implements: "ide-device" }),
    ],
  },
];

for (const { name, args, requests } of DIALOGUES) {
  Deno.test({
    name: `QMP as QEMU's: ${name}`,
    ignore: !haveProgram(QEMU),
    async fn() {
      const sides = await Promise.all([QEMU, "moa"].map(async (program) => {
        await using temp = await TempFolder.make();
        const all = ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", ...args, "-qmp", "stdio"];
        return await qmpDialogue(program, { name: QEMU, args: all, folder: temp.path }, requests);
      }));
      const [theirs, ours] = sides as [typeof sides[0], typeof sides[0]];
      for (let i = 0; i < requests.length; i++) assertEquals(ours[i], theirs[i]);
    },
  });
}
