/**
 * What moa uses of `@std/streams`, under its names and signatures, made of web streams.
 *
 * @module
 */

/** Options of {@link TextLineStream}. */
export interface TextLineStreamOptions {
  /** A carriage return alone ends a line, too. */
  allowCR?: boolean;
}

/** Cuts a stream of text into lines without their ends (`\n` or `\r\n`). */
export class TextLineStream extends TransformStream<string, string> {
  #rest = "";

  constructor(options: TextLineStreamOptions = {}) {
    const end = options.allowCR ? /\r\n|\n|\r(?!$)/ : /\r?\n/;
    super({
      transform: (chunk, controller) => {
        const lines = (this.#rest + chunk).split(end);
        this.#rest = lines.pop()!;
        for (const line of lines) controller.enqueue(line);
      },
      flush: (controller) => {
        if (this.#rest === "") return;
        const last = options.allowCR && this.#rest.endsWith("\r") ? this.#rest.slice(0, -1) : this.#rest;
        controller.enqueue(last);
      },
    });
  }
}

/** All bytes of a stream in one buffer. */
export async function toArrayBuffer(stream: ReadableStream<Uint8Array>): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all.buffer;
}

/** All text of a stream, bytes taken as UTF-8. */
export async function toText(stream: ReadableStream): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** What {@link writeAll} writes to: `Deno.stdout`, a connection. */
export interface Writer {
  /** Writes some of `bytes` and says how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Writes all of `data`, in as many calls as it takes. */
export async function writeAll(writer: Writer, data: Uint8Array): Promise<void> {
  for (let done = 0; done < data.length;) done += await writer.write(data.subarray(done));
}

/** What {@link writeAllSync} writes to. */
export interface WriterSync {
  /** Writes some of `bytes` and says how many. */
  writeSync(bytes: Uint8Array): number;
}

/** Writes all of `data` synchronously. */
export function writeAllSync(writer: WriterSync, data: Uint8Array): void {
  for (let done = 0; done < data.length;) done += writer.writeSync(data.subarray(done));
}
