import { assert, assertEquals, assertThrows } from "@std/assert";
import { Exit, Program } from "../common/program.ts";
import { Progress, progressWish } from "./progress.ts";
import { barText } from "./progress_bar.ts";

function collecting(name: string) {
  const said = { out: "", error: "" };
  const outputs = {
    out: (text: string) => void (said.out += text),
    error: (text: string) => void (said.error += text),
  };
  return { said, program: new Program(name, outputs) };
}

Deno.test("progress: qemu-img's percentage, drawn where it has changed enough", () => {
  const { said, program } = collecting("qemu-img");
  {
    using progress = new Progress(program, true, 1);
    for (const done of [0, 1, 2, 30, 30.5, 100]) progress.at(done, 100);
  }
  assertEquals(said, {
    out: "    (0.00/100%)\r    (2.00/100%)\r    (30.00/100%)\r    (100.00/100%)\r\n",
    error: "",
  });
});

Deno.test("progress: lines of JSON on standard error, no more than are due, and the last one", () => {
  const { said, program } = collecting("moa");
  {
    using progress = new Progress(program, true, 1, { operation: "convert", form: "jsonl" });
    assert(progress.wanted);
    for (let done = 0; done <= 1000; done++) progress.at(done * 4096, 4_096_000);
    progress.set(100);
  }
  assertEquals(said.out, "");
  const lines = said.error.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines[0].transferred, 0);
  const last = lines.at(-1);
  assertEquals(Object.keys(last), ["operation", "transferred", "size", "elapsed", "eta"]);
  assertEquals([last.operation, last.transferred, last.size, last.eta], ["convert", 4_096_000, 4_096_000, 0]);
  assertEquals(lines.filter(({ transferred }) => transferred === 4_096_000).length, 1);
  assert(lines.length < 2 + 10 * (last.elapsed + 0.1), `${lines.length} lines in ${last.elapsed} s`);
});

Deno.test("progress: the option is moa's own", () => {
  const { program } = collecting("moa");
  const args = ["-f", "raw", "--progress=jsonl", "a", "b"];
  assertEquals(progressWish(program, args), { form: "jsonl", args: ["-f", "raw", "a", "b"] });
  assertEquals(progressWish(program, ["--", "--progress=jsonl"]).args, ["--", "--progress=jsonl"]);
  assertThrows(() => progressWish(program, ["--progress=xml"]), Exit);
  assertEquals(progressWish(collecting("qemu-img").program, args), { form: "plain", args });
});

Deno.test("progress bar: amount, rate and time left", () => {
  const GiB = 2 ** 30;
  const half = barText(50, 2, { done: 2 * GiB, size: 4 * GiB });
  assertEquals(half.trimEnd(), "[############............]  50%  2.0 GiB of 4.0 GiB  1.0 GiB/s  0:02 left");
  const end = barText(100, 3725, { done: 4 * GiB, size: 4 * GiB });
  assertEquals(end.trimEnd(), "[########################] 100%  4.0 GiB of 4.0 GiB  1.1 MiB/s  in 1:02:05");
  assertEquals(barText(0, 0, { done: 0, size: 10 }).trimEnd(), "[........................]   0%");
});
