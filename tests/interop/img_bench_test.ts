/**
 * `moa img bench` and the real qemu-img side by side, but for the time that it took.
 *
 * @module
 */
import { haveProgram } from "../support/programs.ts";
import { imgSideBySide } from "../support/side_by_side.ts";

const ignore = !haveProgram("qemu-img");

const IMAGES = ["qemu-img create -q -f raw r 64M", "qemu-img create -q -f qcow2 a 64M"];

Deno.test({
  name: "img bench: what is sent, and what is refused",
  ignore,
  fn: () =>
    imgSideBySide(IMAGES, [
      "bench",
      "bench a r",
      "bench -c 10 a",
      "bench -c 10 -f raw r",
      "bench -c 10 -d 4 -s 8k -S 16k -o 1M -f raw r",
      "bench -c 10 -w --pattern 7 -f raw r",
      "bench -c 0x10 -w --pattern 0xff -f qcow2 a",
      "bench -c 100 -w -d 4 --flush-interval=10 -f qcow2 a",
      "bench -c 100 -w -d 4 --flush-interval=10 --no-drain -f qcow2 a",
      "bench -c 10 -w --flush-interval=3 -f raw r",
      "bench -c 10 --flush-interval=3 -f raw r",
      "bench -c 10 --no-drain -q -f raw r",
      "bench -c 10 -w --pattern 256 -f raw r",
      "bench -c 10 -w --pattern x -f raw r",
      "bench -c 10 -w --flush-interval=x -f raw r",
      "bench -c x -f raw r",
      "bench -c 0 -f raw r",
      "bench -c -1 -f raw r",
      "bench -c 2k -f raw r",
      "bench -c 3000000000 -f raw r",
      "bench -d x -f raw r",
      "bench -s x -f raw r",
      "bench -s 3G -f raw r",
      "bench -s 0 -c 5 -f raw r",
      "bench -S x -f raw r",
      "bench -o x -f raw r",
      "bench -t foo -f raw r",
      "bench -i foo -f raw r",
      "bench -i threads -c 3 -f raw r",
      "bench -i native -c 3 -f raw r",
      "bench -n -c 3 -f raw r",
      "bench -n -t none -c 3 -f raw r",
      "bench -t writethrough -w -c 3 -f raw r",
      "bench -U -c 3 -f raw r",
      "bench -U -w -c 3 -f raw r",
      "bench -c 3 -s 128M -f raw r",
      "bench -c 3 -o 63.9M -s 1M -f raw r",
      "bench -c 3 -o 100M -s 1M -f raw r",
      "bench -c 1000 missing",
      "bench --image-opts -f raw -c 3 driver=raw,file.filename=r",
      "bench --image-opts -c 3 driver=raw,file.filename=r",
      "bench -c 3 r",
      "bench -x",
    ], ["a", "r"]),
});
