import { assertEquals } from "@std/assert";
import "./preload.ts";
import { decodeXz } from "./xz.ts";

/** `printf 'the same bytes, the same bytes, the same bytes' | xz --check=crc32` */
const PACKED = Uint8Array.fromBase64(
  "/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4AAtABddADoaCM522XbTk82kQQG5vHj92ReY+AAAAABas2KQAAEvLomATO6QQpkNAQAAAAABWVo=",
);
const TEXT = "the same bytes, the same bytes, the same bytes";

Deno.test("a stream that xz wrote is decoded; cut, damaged, or of another size it is not", async () => {
  const decoded = await decodeXz(PACKED, TEXT.length);
  assertEquals(new TextDecoder().decode(decoded), TEXT);
  assertEquals(await decodeXz(PACKED.slice(0, -8), TEXT.length), undefined);
  assertEquals(await decodeXz(PACKED, TEXT.length + 1), undefined);
  assertEquals(await decodeXz(PACKED, TEXT.length - 1), undefined);
  assertEquals(await decodeXz(PACKED.map((byte, at) => at === 40 ? byte ^ 1 : byte), TEXT.length), undefined);
  assertEquals(await decodeXz(new Uint8Array(0), 0), undefined);
});
