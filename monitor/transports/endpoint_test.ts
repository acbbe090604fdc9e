import { assertEquals, assertThrows } from "@std/assert";
import { MonitorError } from "../errors.ts";
import { parseEndpoint } from "./endpoint.ts";

Deno.test("places of monitors", () => {
  assertEquals(parseEndpoint("stdio"), { kind: "stdio" });
  assertEquals(parseEndpoint("none"), { kind: "none" });
  assertEquals(parseEndpoint("unix:/tmp/m,server=on,wait=off"), {
    kind: "socket",
    address: { transport: "unix", path: "/tmp/m" },
    server: true,
    wait: false,
  });
  assertEquals(parseEndpoint("tcp:[::1]:4444,server"), {
    kind: "socket",
    address: { transport: "tcp", hostname: "::1", port: 4444 },
    server: true,
    wait: true,
  });
  assertEquals(parseEndpoint("tcp::4444,server,nowait"), {
    kind: "socket",
    address: { transport: "tcp", hostname: "", port: 4444 },
    server: true,
    wait: false,
  });
  assertEquals(parseEndpoint("unix:s"), {
    kind: "socket",
    address: { transport: "unix", path: "s" },
    server: false,
    wait: false,
  });
});

// Recorded from qemu-system-x86_64 7.2, where nothing else is said.
const REFUSED: [text: string, message: string, preceding?: string][] = [
  ["tcp:foo", "parse error: tcp:foo"],
  ["nonsense", "parse error: nonsense", "'nonsense' is not a valid char driver"],
  ["stdio,foo=1", "parse error: stdio,foo=1", "'stdio,foo=1' is not a valid char driver"],
  ["", "parse error: ", "'' is not a valid char driver"],
  ["unix:m,foo=1", "parse error: unix:m,foo=1", "Invalid parameter 'foo'"],
  ["unix:m,server,wait=maybe", "parse error: unix:m,server,wait=maybe", "Parameter 'wait' expects 'on' or 'off'"],
  [
    "tcp:localhost:22x",
    "address resolution failed for localhost:22x: Servname not supported for ai_socktype",
  ],
  // QEMU goes there; moa says that it does not.
  ["telnet:localhost:1,server", "'telnet' is no place for a monitor here"],
  ["pty", "'pty' is no place for a monitor here"],
];

Deno.test("what is no place is refused in QEMU's words, or by name", () => {
  for (const [text, message, preceding] of REFUSED) {
    const error = assertThrows(() => parseEndpoint(text), MonitorError);
    assertEquals([error.message, ...error.preceding], preceding === undefined ? [message] : [message, preceding]);
  }
});
