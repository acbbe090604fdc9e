/** Encrypted images made and changed by jobs; the real tool opens them with the passphrases that they have then. @module */
import { assertEquals } from "@std/assert";
import { Vm } from "../../mod.ts";
import { haveProgram, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

Deno.test({
  name: "blockdev-create and x-blockdev-amend: encrypted images take other passphrases",
  ignore: !haveProgram("qemu-img"),
  async fn() {
    await using temp = await TempFolder.make();
    await using vm = await Vm.start({ nodefaults: true, memory: 16, paused: true });
    const qmp: typeof vm.qmp = (name, data) => vm.qmp(name, data);
    const [luks, qcow2] = [`${temp.path}/l.img`, `${temp.path}/q.img`];
    const done = async (work: Promise<unknown>): Promise<string | undefined> => {
      await work;
      await vm.machine.graph.jobs.find("j")!.concluded;
      const [job] = await qmp("query-jobs", {});
      await qmp("job-dismiss", { id: "j" });
      return job!.error;
    };
    for (const id of ["a", "b"]) await qmp("object-add", { "qom-type": "secret", id, data: `phrase ${id}` });
    for (const filename of [luks, qcow2]) {
      await done(qmp("blockdev-create", { "job-id": "j", options: { driver: "file", filename, size: 0 } }));
    }
    const size = 1024 * 1024;
    const quick = { "key-secret": "a", "iter-time": 10 } as const;
    const made = [
      { driver: "luks", file: { driver: "file", filename: luks }, size, ...quick },
      { driver: "qcow2", file: { driver: "file", filename: qcow2 }, size, encrypt: { format: "luks", ...quick } },
    ] as const;
    for (const options of made) {
      assertEquals(await done(qmp("blockdev-create", { "job-id": "j", options })), undefined);
    }
    const key = { "key-secret": "a" };
    await qmp("blockdev-add", { driver: "luks", "node-name": "l", file: { driver: "file", filename: luks }, ...key });
    const encrypt = { format: "luks", ...key };
    await qmp("blockdev-add", {
      driver: "qcow2",
      "node-name": "q",
      file: { driver: "file", filename: qcow2 },
      encrypt,
    });
    const amend = (
      node: string,
      change: { state: "active" | "inactive"; "old-secret"?: string; "new-secret"?: string },
    ) => {
      const slots = { ...change, ...(change.state === "active" ? { "iter-time": 10 } : {}) };
      const options = node === "l"
        ? { driver: "luks", ...slots } as const
        : { driver: "qcow2", encrypt: { format: "luks", ...slots } } as const;
      return done(qmp("x-blockdev-amend", { "job-id": "j", "node-name": node, options }));
    };
    for (const node of ["l", "q"]) {
      const refused =
        "All the active keyslots match the (old) password that was given and erasing them will erase all " +
        "the data in the image irreversibly - refusing operation";
      assertEquals(await amend(node, { state: "inactive", "old-secret": "a" }), refused);
      assertEquals(await amend(node, { state: "active", "new-secret": "c" }), "No secret with id 'c'");
      assertEquals(await amend(node, { state: "active", "new-secret": "b" }), undefined);
      assertEquals(await amend(node, { state: "inactive", "old-secret": "a" }), undefined);
      await qmp("blockdev-del", { "node-name": node });
    }
    const opens = async (image: string, phrase: string) => {
      const secret = ["--object", `secret,id=s,data=${phrase}`];
      const { code } = await run("qemu-io", [...secret, "--image-opts", image, "-c", "read 0 512"]);
      return code === 0;
    };
    const images = [
      `driver=luks,key-secret=s,file.filename=${luks}`,
      `driver=qcow2,encrypt.format=luks,encrypt.key-secret=s,file.filename=${qcow2}`,
    ];
    for (const image of images) {
      assertEquals([await opens(image, "phrase a"), await opens(image, "phrase b")], [false, true], image);
    }
  },
});
