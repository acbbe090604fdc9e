/**
 * A temporary folder that is removed at the end of its scope.
 *
 * @module
 */
// a library that a test opens first would count as its leak
import "../../base/host/preload.ts";

/** The folder, and names inside it. */
export class TempFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes one: `await using temp = await TempFolder.make();` */
  static async make(): Promise<TempFolder> {
    return new TempFolder(await Deno.realPath(await Deno.makeTempDir({ prefix: "moa-test-" })));
  }

  /** The absolute name of `name` in the folder. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Writes `content` and hands back the absolute name. */
  async write(name: string, content: string | Uint8Array): Promise<string> {
    const path = this.file(name);
    await (typeof content === "string" ? Deno.writeTextFile(path, content) : Deno.writeFile(path, content));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
