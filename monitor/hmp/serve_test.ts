import { assert, assertEquals } from "@std/assert";
import { type ChardevWish, parseShortForm, SocketChardev } from "../../machine/mod.ts";
import { openPrompt } from "../open_monitor.ts";
import { testVm } from "../testing.ts";
import type { Channel } from "../transports/channel.ts";
import { serveChannel } from "./serve.ts";

const BANNER = "QEMU 7.2.22 monitor - type 'help' for more information\r\n";

/** Removes the echo: what stands between a prompt and the end of its row. */
function answers(text: string): string[] {
  return text.replace(BANNER, "").split("(qemu) ").slice(1).map((part) => part.slice(part.indexOf("\r\n") + 2));
}

/** Sends `input` as a pipe would and collects what comes back. */
async function pipe(input: string | Uint8Array): Promise<{ out: string; ended: boolean }> {
  await using vm = await testVm({ drives: ["driver=null-co,if=none,id=d0"] });
  let out = "";
  let error = "";
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  const channel: Channel = {
    readable: new ReadableStream({
      start(controller) {
        controller.enqueue(bytes);
        controller.close();
      },
    }),
    write: (piece) => {
      out += new TextDecoder().decode(piece);
      return Promise.resolve();
    },
    close() {},
    outputs: { out: (text) => void (out += text), error: (text) => void (error += text) },
  };
  await serveChannel(channel, vm.hmp);
  return { out: out + error, ended: vm.hmp.ended };
}

Deno.test("a pipe gets QEMU's echo, byte for byte", async () => {
  const { out, ended } = await pipe("foo\n");
  assertEquals(
    out,
    `${BANNER}(qemu) f\x1b[K\x1b[Dfo\x1b[K\x1b[D\x1b[Dfoo\x1b[K\r\nunknown command: 'foo'\r\n(qemu) `,
  );
  assert(!ended, "the machine lives on at the end of input");
});

Deno.test("qemu-io writes to the program's own output: its newlines stay as they are", async () => {
  const { out } = await pipe('qemu-io d0 "write -q 0 512"\nqemu-io d0 "length"\n');
  assertEquals(answers(out).slice(0, 2), ["", "1 GiB\n"]);
});

Deno.test("after quit there is no prompt", async () => {
  const { out, ended } = await pipe("q\ninfo status\n");
  assertEquals(out, `${BANNER}(qemu) q\x1b[K\r\n`);
  assert(ended);
});

Deno.test("history, and characters of several bytes", async () => {
  const { out } = await pipe("é\n\ninfo history\n");
  assertEquals(answers(out)[0], "unknown command: 'é'\r\n");
  assertEquals(answers(out)[2], "0: 'é'\r\n1: 'info history'\r\n");
});

Deno.test("a flood of nonsense ends in answers, not in an error", async () => {
  const noise = new Uint8Array(20_000);
  for (let i = 0; i < noise.length; i++) noise[i] = (i * 7919 + (i >> 3)) & 0xff;
  const { out } = await pipe(noise);
  assert(out.startsWith(BANNER));
});

/** A client of a Unix socket. */
class Client implements AsyncDisposable {
  readonly #connection: Deno.Conn;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  static async connect(path: string): Promise<Client> {
    return new Client(await Deno.connect({ transport: "unix", path }));
  }

  send(text: string): Promise<number> {
    return this.#connection.write(new TextEncoder().encode(text));
  }

  /** Reads up to the next prompt, or the end. */
  async untilPrompt(): Promise<string> {
    let text = "";
    const buffer = new Uint8Array(65536);
    while (!text.endsWith("(qemu) ")) {
      const count = await this.#connection.read(buffer);
      if (count === null) return text;
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
    return text;
  }

  [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#connection.close();
    } catch {
      // Closed already.
    }
    return Promise.resolve();
  }
}

function server(path: string): ChardevWish {
  return parseShortForm(`unix:${path},server=on,wait=off`);
}

const REPORT = {
  onInterrupt() {},
  onFailure(error: unknown) {
    throw error;
  },
};

Deno.test("a socket takes one client after the other; several sockets at once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using vm = await testVm();
    const device = (name: string) => vm.chardevs.add(name, server(`${folder}/${name}`));
    await using _a = await openPrompt(vm.hmp, await device("a"), REPORT);
    await using _b = await openPrompt(vm.hmp, await device("b"), REPORT);
    {
      await using first = await Client.connect(`${folder}/a`);
      await using other = await Client.connect(`${folder}/b`);
      assertEquals(await first.untilPrompt(), `${BANNER}(qemu) `);
      assertEquals(await other.untilPrompt(), `${BANNER}(qemu) `);
      await other.send("info status\n");
      assertEquals(answers(`(qemu) ${await other.untilPrompt()}`)[0], "VM status: paused (prelaunch)\r\n");
      // This one hangs up in the middle of a line and of an answer.
      await first.send("help\ninfo blo");
    }
    await using second = await Client.connect(`${folder}/a`);
    assertEquals(await second.untilPrompt(), `${BANNER}(qemu) `);
    await second.send("quit\n");
    assertEquals(
      await second.untilPrompt(),
      "q\x1b[K\x1b[Dqu\x1b[K\x1b[D\x1b[Dqui\x1b[K\x1b[D\x1b[D\x1b[Dquit\x1b[K\r\n",
    );
    await vm.closed;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a client that sends for ever and reads nothing holds up nobody", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using vm = await testVm();
    const path = `${folder}/m`;
    await using monitor = await openPrompt(vm.hmp, await vm.chardevs.add("m", server(path)), REPORT);
    const flood = await Deno.connect({ transport: "unix", path });
    const bytes = new TextEncoder().encode("help\n".repeat(10_000));
    const sending = flood.write(bytes).catch(() => 0);
    assertEquals(await vm.monitor("info status"), "VM status: paused (prelaunch)\n");
    // Closing takes the channel away from under its feet.
    await monitor[Symbol.asyncDispose]();
    flood.close();
    await sending;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a TCP socket on a port that is found", async () => {
  await using vm = await testVm();
  const device = await vm.chardevs.add("m", parseShortForm("tcp:127.0.0.1:0,server=on,wait=off"));
  assert(device instanceof SocketChardev);
  await using _monitor = await openPrompt(vm.hmp, device, REPORT);
  const { listensAt } = device;
  assert(listensAt?.transport === "tcp");
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(listensAt.port) });
  await using client = new Client(connection);
  assertEquals(await client.untilPrompt(), `${BANNER}(qemu) `);
});
