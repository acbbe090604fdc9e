import { assertEquals, assertThrows } from "@std/assert";
import { MonitorError } from "../errors.ts";
import { parseEndpoint } from "./endpoint.ts";

Deno.test("places of monitors", () => {
  assertEquals(parseEndpoint("stdio").endpoint, { kind: "stdio" });
  assertEquals(parseEndpoint("none").endpoint, { kind: "none" });
  assertEquals(parseEndpoint("unix:/tmp/m,server=on,wait=off"), {
    endpoint: { kind: "socket", address: { transport: "unix", path: "/tmp/m" }, server: true, wait: false },
    warnings: [],
  });
  assertEquals(parseEndpoint("tcp:[::1]:4444,server").endpoint, {
    kind: "socket",
    address: { transport: "tcp", hostname: "::1", port: 4444 },
    server: true,
    wait: true,
  });
  assertEquals(parseEndpoint("tcp::4444,server,nowait").endpoint, {
    kind: "socket",
    address: { transport: "tcp", hostname: "", port: 4444 },
    server: true,
    wait: false,
  });
  assertEquals(parseEndpoint("unix:s").endpoint, {
    kind: "socket",
    address: { transport: "unix", path: "s" },
    server: false,
    wait: false,
  });
});

Deno.test("old spellings are noted", () => {
  assertEquals(parseEndpoint("unix:s,server,nowait").warnings, [
    "warning: short-form boolean option 'server' deprecated\nPlease use server=on instead",
    "warning: short-form boolean option 'nowait' deprecated\nPlease use wait=off instead",
  ]);
});

Deno.test("what is no place is refused by name", () => {
  for (const text of ["telnet:localhost:1,server", "pty", "vc"]) {
    assertThrows(() => parseEndpoint(text), MonitorError, text.split(":")[0]!);
  }
  for (const text of ["unix:", "tcp:host", "tcp:host:99999", "", "nonsense"]) {
    assertThrows(() => parseEndpoint(text), MonitorError);
  }
  assertThrows(() => parseEndpoint("unix:s,foo=1"), MonitorError, "Invalid parameter 'foo'");
});
