/**
 * Images on block devices: `create` and `convert` onto a device, by moa and by qemu-img, over equal contents.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { attachLoop, mayAttachLoops } from "../support/loop_device.ts";
import { runMoaImg } from "../support/moa_img.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const MiB = 1024 * 1024;
/** What was on the device before. */
const BEFORE = new Uint8Array(4 * MiB).map((_, at) => at * 31 >> 3);

const ROWS = [
  "create -f raw DEVICE 1M",
  "create -f raw DEVICE 4M",
  "create -f raw DEVICE 8M",
  "create -f raw -o preallocation=off DEVICE 1M",
  "create -f raw -o preallocation=full DEVICE 1M",
  "create -f raw -o help DEVICE",
  "create -f host_device -o help",
  "create -f qcow2 DEVICE 1G",
  "create -f qcow2 -o preallocation=full DEVICE 1G",
  "create -f qcow2 -o preallocation=metadata DEVICE 1M",
  "convert -f raw -O raw source DEVICE",
  "convert -f raw -O qcow2 source DEVICE",
  "convert -n -f raw -O raw source DEVICE",
  "convert -f raw -O raw large DEVICE",
];

Deno.test({
  name: "img: images are made on devices as qemu-img makes them",
  ignore: !haveProgram("qemu-img") || !await mayAttachLoops(),
  fn: async () => {
    for (const row of ROWS) {
      const results = [];
      for (const who of ["moa", "qemu-img"]) {
        await using temp = await TempFolder.make();
        await temp.write("source", new Uint8Array(2 * MiB).fill(7, 65536, 131072));
        await must("truncate", ["-s", "8M", temp.file("large")]);
        const path = await temp.write("device", BEFORE);
        let answer;
        {
          await using loop = await attachLoop(path);
          const args = row.split(" ").map((word) => word === "DEVICE" ? loop.device : word);
          const { code, stdout, stderr } = who === "moa"
            ? (await runMoaImg([{ folder: temp.path, args }]))[0]!
            : await run("qemu-img", args, { cwd: temp.path });
          answer = [code, ...[stdout, stderr].map((text) => text.replaceAll(loop.device, "DEVICE"))];
        }
        results.push({ answer, bytes: await Deno.readFile(path) });
      }
      const [ours, theirs] = results;
      assertEquals(ours!.answer, theirs!.answer, row);
      // What a failed one has written until then is nobody's concern; preallocated clusters show the device's old bytes
      // in qemu-img's image, and zeroes in ours.
      if (theirs!.answer[0] !== 0 || row.includes("=metadata")) continue;
      const differs = ours!.bytes.findIndex((byte, at) => byte !== theirs!.bytes[at]);
      assertEquals(differs, -1, `${row}: the device differs at byte ${differs}`);
    }
  },
});
