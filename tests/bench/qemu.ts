/**
 * The other side of each comparison: qemu-img, timed as it times itself or as a whole process.
 *
 * @module
 */

/** Runs a program to its end; throws with its standard error when it fails. */
export async function run(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdout: "piped", stderr: "piped" })
    .output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** What {@link qemuImgBench} is asked. */
export interface BenchRequest {
  /** A file, or without `format` a description as `--image-opts` takes it. */
  readonly image: string;
  readonly format?: string;
  readonly write: boolean;
  readonly depth: number;
  readonly requests: number;
  readonly requestBytes: number;
  readonly stepBytes: number;
}

/** How `qemu-img bench` may reach files in the page cache. */
const ENGINES = ["io_uring", "threads"] as const;

/** Requests a second of `qemu-img bench`, with the better of the two engines that the page cache allows. */
export async function qemuImgBench(
  request: BenchRequest,
  engines: readonly (typeof ENGINES)[number][] = ENGINES,
): Promise<number> {
  let best = 0;
  for (const engine of engines) {
    const output = await run(
      "qemu-img",
      "bench",
      ...(request.format === undefined ? ["--image-opts"] : ["-f", request.format]),
      ...["-c", `${request.requests}`, "-d", `${request.depth}`, "-i", engine],
      ...["-s", `${request.requestBytes}`, "-S", `${request.stepBytes}`],
      ...(request.write ? ["-w"] : []),
      request.image,
    );
    const seconds = Number(/Run completed in ([\d.]+) seconds/.exec(output)?.[1]);
    best = Math.max(best, request.requests / seconds);
  }
  return best;
}
