/**
 * What is done to disks while Linux writes files to them: snapshots of the machine, there and back, also in another
 * process's place; commits, streams and mirrors of the chain under it. Every file must come out as it was written.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Vm } from "../../mod.ts";
import { must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { checkImage, diskInitrd, diskTestPackages, guestSum, makeFileSystem, sumOfFiles } from "./disk_files.ts";
import { BOOT_LIMIT_MS, bootLinux, shell } from "./linux.ts";
import { MachineProcess } from "./process.ts";

const packages = diskTestPackages();
const FILES = 30;
/** There and back so often. */
const SNAPSHOTS = 10;
/** And from one process to the next. */
const PROCESSES = 3;
const RUN_ON_MS = 100;
const PATIENCE = { timeoutMs: BOOT_LIMIT_MS };

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Starts a writer beside the shell; what it says goes to a file in memory. */
async function startWriter(vm: Vm, folder: string, says: string): Promise<void> {
  await shell(vm, `(writer ${folder} ${FILES} > ${says} &)`);
}

async function untilWritten(vm: Vm, says: string): Promise<void> {
  const line = `n=0; until [ -s ${says} ]; do [ $n = 900 ] && break; n=$((n+1)); usleep 200000; done; cat ${says}`;
  assertMatch(await shell(vm, line), /^written/);
}

async function jobIs(vm: Vm, status: "ready" | "over"): Promise<void> {
  await vm.until(`the job is ${status}`, async () => {
    const [job] = await vm.qmp("query-block-jobs", {});
    return status === "over" ? job === undefined : job?.status === "ready";
  }, PATIENCE);
}

/** The image that a drive writes to. */
async function imageOf(vm: Vm, drive: string): Promise<string> {
  return (await vm.monitor(`info block ${drive}`)).match(/: (\S+) \(qcow2\)/)![1]!;
}

/** All that changes a chain, one after the other, on drive `v`; the image that it ends with. */
async function runJobs(vm: Vm, temp: TempFolder): Promise<string> {
  const device = "v";
  const base = temp.file("base.qcow2");
  await vm.qmp("block-commit", { device, top: temp.file("middle.qcow2"), base });
  await jobIs(vm, "over");
  await vm.qmp("block-stream", { device });
  await jobIs(vm, "over");
  const copy = temp.file("copy.qcow2");
  await vm.qmp("drive-mirror", { device, target: copy, format: "qcow2", sync: "full" });
  await jobIs(vm, "ready");
  await vm.qmp("block-job-complete", { device });
  await jobIs(vm, "over");
  assertEquals(await imageOf(vm, device), copy);
  const first = temp.file("first.qcow2");
  await vm.qmp("blockdev-snapshot-sync", { device, "snapshot-file": first, format: "qcow2" });
  await pause(RUN_ON_MS);
  await vm.qmp("block-commit", { device });
  await jobIs(vm, "ready");
  await vm.qmp("block-job-complete", { device });
  await jobIs(vm, "over");
  assertEquals(await imageOf(vm, device), copy);
  const second = temp.file("second.qcow2");
  await vm.qmp("blockdev-snapshot-sync", { device, "snapshot-file": second, format: "qcow2" });
  await pause(RUN_ON_MS);
  assertEquals(await vm.monitor(`commit ${device}`), "");
  return second;
}

Deno.test({
  name: "Linux writes files while its machine is saved and loaded, and its disk's chain is committed and copied",
  ignore: packages === undefined,
  fn: async (t) => {
    const step = async (name: string, work: () => Promise<void>) => {
      if (!await t.step(name, work)) throw new Error(`${name}: failed`);
    };
    await using temp = await TempFolder.make();
    const [ide, base, middle, top] = ["ide", "base", "middle", "top"].map((name) => temp.file(`${name}.qcow2`));
    for (const image of [ide!, base!]) await must("qemu-img", ["create", "-q", "-f", "qcow2", image, "96M"]);
    for (const [image, backing] of [[middle!, base!], [top!, middle!]] as const) {
      await must("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", backing, image]);
    }
    const image = { initrd: await diskInitrd(temp, packages!) };
    const disks = { hda: ide!, drives: [`file=${top},if=virtio,id=v`] };
    const expected = sumOfFiles(packages!, FILES);
    const checkFiles = async (vm: Vm) => {
      for (const disk of ["sda", "vda"]) {
        await untilWritten(vm, `/tmp/${disk}`);
        assertEquals(await guestSum(vm, `/mnt/${disk}`, FILES), expected, disk);
      }
    };
    await step("saved and loaded amid writes", async () => {
      await using vm = await bootLinux(packages!, image, disks);
      for (const disk of ["sda", "vda"]) await makeFileSystem(vm, disk);
      for (const disk of ["sda", "vda"]) await startWriter(vm, `/mnt/${disk}`, `/tmp/${disk}`);
      for (let time = 0; time < SNAPSHOTS; time++) {
        await vm.savevm("amid");
        await pause(RUN_ON_MS); // what is written now, loading takes back
        await vm.loadvm("amid");
        await pause(RUN_ON_MS);
      }
      assertEquals(await shell(vm, "cat /tmp/sda /tmp/vda"), "", "the writers were done too early");
      await vm.savevm("amid");
      await checkFiles(vm);
    });
    await step("from process to process amid writes", async () => {
      const args = ["-accel", "v86", "-m", "128", "-display", "none", "-serial", "null", "-parallel", "none"];
      args.push("-monitor", "stdio", "-hda", ide!, "-drive", disks.drives[0]!);
      for (let time = 0; time < PROCESSES; time++) {
        await using process = new MachineProcess([...args, "-loadvm", "amid"]);
        await process.type("info status");
        await process.line(/VM status: running/);
        await pause(RUN_ON_MS);
        await process.type("savevm amid");
        await process.type("quit");
        assertEquals((await process.status).code, 0);
      }
    });
    let last = "";
    {
      await using vm = await Vm.start({ memory: 128, serial: ["script"], accel: "v86", ...disks, loadvm: "amid" });
      await step("it goes on in another machine", () => checkFiles(vm));
      await step("commit, stream and mirror amid writes", async () => {
        await shell(vm, "mkdir /mnt/vda/more");
        await startWriter(vm, "/mnt/vda/more", "/tmp/more");
        last = await runJobs(vm, temp);
        await untilWritten(vm, "/tmp/more");
        assertEquals(await guestSum(vm, "/mnt/vda/more", FILES), expected);
        assertEquals(await shell(vm, "umount /mnt/sda && umount /mnt/vda && echo yes"), "yes\n");
      });
    }
    await step("e2fsck and debugfs agree", async () => {
      await checkImage(temp, packages!, ide!, FILES);
      await checkImage(temp, packages!, last, FILES);
      await checkImage(temp, packages!, last, FILES, "more");
    });
  },
});
