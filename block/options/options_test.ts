import { assertEquals } from "@std/assert";
import { parseOptionPairs } from "../../base/keyval.ts";
import { parseBlockdev } from "./blockdev_add.ts";
import { cacheMode, cacheModeText } from "./cache_mode.ts";
import { driveId, type DriveOptions, parseDrive } from "./drive.ts";
import { protocolOf, resolveAgainst, stripProtocol } from "./filename.ts";
import { formatJson, parseJson, parseJsonName } from "./json.ts";
import { nestOptions } from "./tree.ts";

function drive(text: string, snapshot = false): DriveOptions {
  return parseDrive(parseOptionPairs(text).pairs, { snapshot });
}

function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

Deno.test("parseDrive: what belongs to the drive and what to the node", () => {
  const options = drive(
    "file=a,,b.img,if=virtio,bus=1,unit=2,media=disk,cache=none,format=raw,snapshot=on,werror=stop,rerror=ignore,id=d," +
      "aio=native,discard=on,detect-zeroes=unmap,copy-on-read=on,file.locking=off,l2-cache-size=1M",
  );
  assertEquals(options, {
    interface: "virtio",
    id: "d",
    bus: 1,
    unit: 2,
    index: undefined,
    media: "disk",
    filename: "a,b.img",
    options: {
      file: { locking: "off" },
      "l2-cache-size": "1M",
      driver: "raw",
      cache: { direct: true, "no-flush": false },
      "read-only": false,
      "auto-read-only": "on",
      discard: "unmap",
    },
    isEmpty: false,
    readOnly: false,
    snapshot: true,
    copyOnRead: true,
    writeCache: true,
    detectZeroes: "unmap",
    aio: "native",
    werror: "stop",
    rerror: "ignore",
    errorPolicyGiven: "werror",
    throttling: undefined,
    helpWanted: false,
    warnings: [],
  });
});

Deno.test("parseDrive: defaults, an empty drive, -snapshot, CD-ROMs", () => {
  const empty = drive("if=ide,media=cdrom,index=2");
  assertEquals([empty.isEmpty, empty.readOnly, empty.index, empty.werror], [true, true, 2, "enospc"]);
  assertEquals(drive("file=", true).isEmpty, true);
  assertEquals(drive("file=a", true).snapshot, true);
  assertEquals(drive("file=a,snapshot=off", true).snapshot, false);
  assertEquals(drive("file=a,readonly=on,copy-on-read=on").warnings, ["disabling copy-on-read on read-only drive"]);
  assertEquals(drive("format=help").helpWanted, true);
  const cache = (text: string) => [drive(text).writeCache, drive(text).options["cache"]];
  assertEquals(cache("file=a,cache=directsync"), [false, { direct: true, "no-flush": false }]);
  assertEquals(cache("file=a,cache=unsafe,cache.writeback=off"), [false, { direct: false, "no-flush": true }]);
});

Deno.test("parseDrive: refusals are QEMU's", () => {
  const table: Record<string, string> = {
    "cache=bad": "invalid cache option",
    "aio=bad": "invalid aio option",
    "werror=bad": "'bad' invalid write error action",
    "rerror=enospc": "'enospc' invalid read error action",
    "discard=bad": "Invalid discard option",
    "detect-zeroes=bad": "invalid parameter value: bad",
    "media=bad": "'bad' invalid media",
    "if=bad": "unsupported bus type 'bad'",
    "index=0,unit=1": "index cannot be used with bus and unit",
    "snapshot=bad": "Parameter 'snapshot' expects 'on' or 'off'",
    "read-only=on,readonly=on": "'read-only' and its alias 'readonly' can't be used at the same time",
    "format=raw,driver=raw": "Cannot specify both 'driver' and 'format'",
    "bps=x": "Parameter 'throttling.bps-total' expects a number",
    "bps=1,bps_rd=1": "bps/iops/max total values and read/write values cannot be used at the same time",
    "bps=1,throttling.bps-total=2": "'throttling.bps-total' and its alias 'bps' can't be used at the same time",
  };
  for (const [text, message] of Object.entries(table)) {
    assertEquals([text, messageOf(() => drive(`file=a,${text}`))], [text, message]);
  }
  assertEquals(drive("file=a,bps=0,iops_max=0").filename, "a");
});

Deno.test("driveId: QEMU's names of drives", () => {
  assertEquals(
    [
      driveId("ide", 1, 0, "cdrom"),
      driveId("ide", 0, 1, "disk"),
      driveId("virtio", 0, 3, "disk"),
      driveId("none", 0, 0, "disk"),
    ],
    ["ide1-cd0", "ide0-hd1", "virtio3", "none0"],
  );
});

Deno.test("parseBlockdev: types, paths and refusals are QEMU's", () => {
  assertEquals(parseBlockdev("raw,node-name=r,size=512,cache.direct=on,file.driver=file,file.filename=a"), {
    driver: "raw",
    "node-name": "r",
    cache: { direct: true },
    file: { driver: "file", filename: "a" },
    size: 512,
  });
  const table: Record<string, string> = {
    "driver=qcow2": "Parameter 'file' is missing",
    "file=x": "Parameter 'driver' is missing",
    "driver=nope": "Parameter 'driver' does not accept value 'nope'",
    "driver=file": "Parameter 'filename' is missing",
    "driver=file,filename=a": "'node-name' must be specified for the root node",
    "driver=file,filename=a,node-name=a,foo=1": "Parameter 'foo' is unexpected",
    "driver=raw,node-name=a,file.driver=file,file.filename=a,size=x": "Parameter 'size' expects integer",
    "driver=null-co,node-name=a,size=1M": "Parameter 'size' expects integer",
    "driver=raw,node-name=a,file=f,read-only=maybe": "Parameter 'read-only' expects 'on' or 'off'",
    "driver=raw,node-name=a,file.driver=file": "Parameter 'file.filename' is missing",
    "driver=raw,node-name=a,file.driver=file,file.filename=a,file.foo=1": "Parameter 'file.foo' is unexpected",
    "driver=raw,node-name=a,file=f,discard=x": "Parameter 'discard' does not accept value 'x'",
    "driver=raw,node-name=a,file=f,cache=x": "Invalid parameter type for 'cache', expected: object",
    "driver=raw,node-name=a,file=f,cache.direct=x": "Parameter 'cache.direct' expects 'on' or 'off'",
    "driver=qcow2,node-name=a,file=f,overlap-check=bad": "Parameter 'overlap-check' does not accept value 'bad'",
    '{"driver":"null-co","node-name":"a","size":"5"}': "Invalid parameter type for 'size', expected: integer",
    '{"driver":"null-co","node-name":"a","foo":5}': "Parameter 'foo' is unexpected",
    '{"driver":"null-co","node-name":5}': "Invalid parameter type for 'node-name', expected: string",
    '{"driver":"raw","node-name":"z","file":5}': "Invalid parameter type for 'file', expected: BlockdevRef",
    '{"driver":"raw","node-name":"z","file":{"driver":"file","filename":5}}':
      "Invalid parameter type for 'file.filename', expected: string",
    "{bad": "JSON parse error, invalid keyword 'bad'",
    "[]": "Parameter 'driver' does not accept value '[]'",
    "__proto__,node-name=a": "Parameter 'driver' does not accept value '__proto__'",
  };
  for (const [text, message] of Object.entries(table)) {
    assertEquals([text, messageOf(() => parseBlockdev(text))], [text, message]);
  }
});

Deno.test("json: names are read and printed as QEMU does", () => {
  const overlay = parseJsonName(`json:{'driver':'qcow2','file.filename':'a','backing':null}`);
  assertEquals(formatJson(overlay), `{"backing": null, "driver": "qcow2", "file": {"filename": "a"}}`);
  const window = { driver: "raw", offset: "512", file: { driver: "file", filename: "r.img" } };
  assertEquals(
    formatJson(window),
    `{"offset": "512", "driver": "raw", "file": {"driver": "file", "filename": "r.img"}}`,
  );
  assertEquals(
    formatJson({ driver: "null-co", size: "1M", "read-zeroes": "on" }),
    `{"read-zeroes": "on", "driver": "null-co", "size": "1M"}`,
  );
  assertEquals(messageOf(() => parseJsonName("json:")), "Could not parse the JSON options: Expecting a JSON value");
  assertEquals(
    messageOf(() => parseJsonName('json:{"a"')),
    "Could not parse the JSON options: JSON parse error, premature EOI",
  );
  assertEquals(messageOf(() => parseJsonName("json:[]")), "Invalid JSON object given");
  assertEquals(parseJson(`{"a": 'it\\'s "b"'}`), { a: `it's "b"` });
});

Deno.test("nestOptions: dotted names, lists, and names that mean something to JavaScript", () => {
  const pairs = parseOptionPairs("a.b=1,a.c.0.x=2,a.c.1.x=3,__proto__.polluted=1,d=4").pairs;
  const tree = nestOptions(pairs);
  assertEquals(JSON.stringify(tree), `{"a":{"b":"1","c":[{"x":"2"},{"x":"3"}]},"__proto__":{"polluted":"1"},"d":"4"}`);
  assertEquals(({} as Record<string, unknown>)["polluted"], undefined);
});

Deno.test("file names: protocols and relative names", () => {
  assertEquals(
    ["nbd:localhost:1", "a/b:c", "file:a", "/dev/sda:1", "gluster+tcp://x/y", "plain"].map(protocolOf),
    ["nbd", undefined, "file", undefined, "gluster+tcp", undefined],
  );
  // qemu-img info shows it so: what is left must not look like a protocol.
  assertEquals([stripProtocol("file", "file:a:b"), stripProtocol("file", "a:b")], ["./a:b", "a:b"]);
  assertEquals(
    [["d/o.img", "a"], ["o.img", "a"], ["/x/o.img", "../a"], ["d/o", "/a"], ["d/o", "json:{}"], ["d/o", "nbd:x"]]
      .map(([image, name]) => resolveAgainst(image!, name!)),
    ["d/a", "a", "/x/../a", "/a", "json:{}", "nbd:x"],
  );
});

Deno.test("cache modes: the words of info block", () => {
  const words = ["writeback", "none", "writethrough", "directsync", "unsafe"].map((name) =>
    cacheModeText(cacheMode(name)!)
  );
  assertEquals(words, [
    "writeback",
    "writeback, direct",
    "writethrough",
    "writethrough, direct",
    "writeback, ignore flushes",
  ]);
  assertEquals([cacheMode("off"), cacheMode("constructor")], [cacheMode("none"), undefined]);
});
