import { assertEquals } from "@std/assert";
import { TextLineStream, toArrayBuffer, toText, writeAll, writeAllSync } from "@std/streams";

async function lines(chunks: string[], options = {}): Promise<string[]> {
  const out: string[] = [];
  for await (const line of ReadableStream.from(chunks).pipeThrough(new TextLineStream(options))) out.push(line);
  return out;
}

Deno.test("TextLineStream joins chunks and cuts lines", async () => {
  assertEquals(await lines(["a\nb", "c\r", "\n\nd"]), ["a", "bc", "", "d"]);
  assertEquals(await lines(["a\rb\r", "\nc"], { allowCR: true }), ["a", "b", "c"]);
  assertEquals(await lines([]), []);
});

Deno.test("toArrayBuffer and toText collect a stream, also across split characters", async () => {
  const bytes = new TextEncoder().encode("größe");
  const halves = () => ReadableStream.from([bytes.subarray(0, 3), bytes.subarray(3)]);
  assertEquals(await toText(halves()), "größe");
  assertEquals(new Uint8Array(await toArrayBuffer(halves())), bytes);
});

Deno.test("writeAll goes on after a short write", async () => {
  const out: number[] = [];
  const take = (bytes: Uint8Array) => {
    out.push(...bytes.subarray(0, 2));
    return Math.min(2, bytes.length);
  };
  await writeAll({ write: async (bytes) => take(bytes) }, new Uint8Array([1, 2, 3]));
  writeAllSync({ writeSync: take }, new Uint8Array([4, 5, 6]));
  assertEquals(out, [1, 2, 3, 4, 5, 6]);
});
