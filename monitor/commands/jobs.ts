/**
 * Block jobs at the prompt: the same work as the protocol's commands, named by the drive.
 *
 * @module
 */
import type { Job } from "../../block/mod.ts";
import { MonitorError } from "../errors.ts";
import { stream } from "../qmp/commands/chains.ts";
import { backUpToFile, mirrorToFile } from "../qmp/commands/copies.ts";
import { changeTogether } from "../qmp/commands/actions.ts";
import { deleteInternal, takeInternal } from "../qmp/commands/internal_snapshots.ts";
import { blockJobNamed } from "../qmp/commands/jobs.ts";
import { snapshotSync } from "../qmp/commands/overlays.ts";
import { describeJob } from "../qmp/types/jobs.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

/** A job as `info block-jobs` shows it; lengths in bytes. Under moa's own name with its rate and the seconds left. */
export type BlockJobInfo = ReturnType<typeof describeJob> & Partial<Job["pace"]>;

export const blockStream = command({
  name: "block_stream",
  summary: "Copies what a drive's image shows of its backing files into it.",
  arguments: { device: arg.device(), speed: arg.optional(arg.sizeBytes()), base: arg.optional(arg.string()) },
  run: ({ machine }, { device, speed, base }): Promise<void> =>
    stream(machine.graph, { "job-id": device, device, speed, base }),
  hmp: {
    names: "block_stream",
    parameters: "device [speed [base]]",
    help: "copy data from a backing file into a block device",
  },
});

export const blockJobSetSpeed = command({
  name: "block_job_set_speed",
  summary: "Limits a job to so many bytes a second; 0 for no limit.",
  arguments: { device: arg.device(), speed: arg.sizeBytes() },
  run({ machine }, { device, speed }): void {
    blockJobNamed(machine.graph, device).setSpeed(speed);
  },
  hmp: {
    names: "block_job_set_speed",
    parameters: "device speed",
    help: "set maximum speed for a background block operation",
  },
});

export const blockJobCancel = command({
  name: "block_job_cancel",
  summary: "Ends a job; a mirror that is ready without switching over.",
  arguments: { force: arg.flag("f"), device: arg.device() },
  run: ({ machine }, { force = false, device }): Promise<void> => blockJobNamed(machine.graph, device).cancel(force),
  hmp: {
    names: "block_job_cancel",
    parameters: "[-f] device",
    help: "stop an active background block operation (use -f\n\t\t\t if you want to abort the operation immediately\n" +
      "\t\t\t instead of keep running until data is in sync)",
  },
});

export const blockJobComplete = command({
  name: "block_job_complete",
  summary: "Ends a job that is ready and switches over to what it made.",
  arguments: { device: arg.device() },
  run: ({ machine }, { device }): Promise<void> => blockJobNamed(machine.graph, device).complete(),
  hmp: { names: "block_job_complete", parameters: "device", help: "stop an active background block operation" },
});

export const blockJobPause = command({
  name: "block_job_pause",
  summary: "Has a job stand still until it is resumed.",
  arguments: { device: arg.device() },
  run: ({ machine }, { device }): Promise<void> => blockJobNamed(machine.graph, device).pause(),
  hmp: { names: "block_job_pause", parameters: "device", help: "pause an active background block operation" },
});

export const blockJobResume = command({
  name: "block_job_resume",
  summary: "Has a paused job go on.",
  arguments: { device: arg.device() },
  run: ({ machine }, { device }): Promise<void> => blockJobNamed(machine.graph, device).resume(),
  hmp: { names: "block_job_resume", parameters: "device", help: "resume a paused background block operation" },
});

export const infoBlockJobs = command({
  name: "query-block-jobs",
  summary: "Jobs and how far they are.",
  arguments: {},
  run: ({ machine, strict }): BlockJobInfo[] =>
    machine.graph.jobs.list().filter(({ isBlockJob }) => isBlockJob)
      .map((job) => ({ ...describeJob(job), ...(strict ? {} : job.pace) })),
  hmp: {
    names: "block-jobs",
    group: "info",
    parameters: "",
    help: "show progress of ongoing block device operations",
    print(output, jobs) {
      if (jobs.length === 0) output.print("No active jobs\n");
      for (const { type, device, offset, len, speed, bytesPerSecond = 0, secondsLeft } of jobs) {
        const what = type === "stream" ? `Streaming device ${device}` : `Type ${type}, device ${device}`;
        output.print(`${what}: Completed ${offset} of ${len} bytes, speed limit ${speed} bytes/s`);
        if (bytesPerSecond > 0) output.print(`, ${Math.round(bytesPerSecond)} bytes/s`);
        if (bytesPerSecond > 0 && secondsLeft !== undefined) output.print(`, ${Math.ceil(secondsLeft)} s left`);
        output.print("\n");
      }
    },
  },
});

const REUSE_HELP = "\t\t\tThe -n flag requests QEMU to reuse the image found\n" +
  "\t\t\tin new-image-file, instead of recreating it from scratch.\n" +
  "\t\t\tThe -f flag requests QEMU to copy the whole disk,\n" +
  "\t\t\tso that the result does not need a backing file.\n";

export const driveMirror = command({
  name: "drive_mirror",
  summary: "Keeps an image file equal to what a drive shows, until the user has the guest go over to it.",
  arguments: {
    reuse: arg.flag("n"),
    full: arg.flag("f"),
    device: arg.device(),
    target: arg.string(),
    format: arg.optional(arg.string("format")),
  },
  run: ({ machine }, { reuse = false, full = false, device, target, format }): Promise<void> =>
    mirrorToFile(machine.graph, {
      device,
      target,
      format,
      sync: full ? "full" : "top",
      mode: reuse ? "existing" : "absolute-paths",
      unmap: true,
    }),
  hmp: {
    names: "drive_mirror",
    parameters: "[-n] [-f] device target [format]",
    help: "initiates live storage\n\t\t\tmigration for a device. The device's contents are\n" +
      "\t\t\tcopied to the new image file, including data that\n\t\t\tis written after the command is started.\n" +
      `${REUSE_HELP}\t\t\t`,
  },
});

export const driveBackup = command({
  name: "drive_backup",
  summary: "Copies a drive as it is now to an image file, while the guest writes on.",
  arguments: {
    reuse: arg.flag("n"),
    full: arg.flag("f"),
    compress: arg.flag("c"),
    device: arg.device(),
    target: arg.string(),
    format: arg.optional(arg.string("format")),
  },
  run: ({ machine }, { reuse = false, full = false, compress = false, device, target, format }): Promise<void> =>
    backUpToFile(machine.graph, {
      device,
      target,
      format,
      compress,
      sync: full ? "full" : "top",
      mode: reuse ? "existing" : "absolute-paths",
    }),
  hmp: {
    names: "drive_backup",
    parameters: "[-n] [-f] [-c] device target [format]",
    help: "initiates a point-in-time\n\t\t\tcopy for a device. The device's contents are\n" +
      "\t\t\tcopied to the new image file, excluding data that\n\t\t\tis written after the command is started.\n" +
      `${REUSE_HELP}\t\t\tThe -c flag requests QEMU to compress backup data\n` +
      "\t\t\t(if the target format supports it).\n\t\t\t",
  },
});

export const snapshotBlkdev = command({
  name: "snapshot_blkdev",
  summary: "Makes a new image over a drive's: the guest writes to it from then on.",
  arguments: {
    reuse: arg.flag("n"),
    device: arg.device(),
    file: arg.optional(arg.string()),
    format: arg.optional(arg.string("format")),
  },
  run({ machine }, { reuse = false, device, file, format }): Promise<void> {
    if (file === undefined) throw new MonitorError("Parameter 'snapshot-file' is missing");
    const mode = reuse ? "existing" : "absolute-paths";
    return snapshotSync(machine.graph, { device, "snapshot-file": file, format, mode });
  },
  hmp: {
    names: "snapshot_blkdev",
    parameters: "[-n] device [new-image-file] [format]",
    help: "initiates a live snapshot\n\t\t\tof device. If a new image file is specified, the\n" +
      "\t\t\tnew image file will become the new root image.\n\t\t\tIf format is specified, the snapshot file will\n" +
      "\t\t\tbe created in that format.\n\t\t\tThe default format is qcow2.  The -n flag requests QEMU\n" +
      "\t\t\tto reuse the image found in new-image-file, instead of\n\t\t\trecreating it from scratch.",
  },
});

const FORMAT_HELP = "\t\t\tThe format of the image used by device must\n\t\t\tsupport it, such as qcow2.\n\t\t\t";

export const snapshotBlkdevInternal = command({
  name: "snapshot_blkdev_internal",
  summary: "Takes a snapshot of a drive inside its image.",
  arguments: { device: arg.device(), name: arg.string() },
  run: ({ machine }, { device, name }): Promise<void> =>
    changeTogether([takeInternal(machine.graph, { device, name })]),
  hmp: {
    names: "snapshot_blkdev_internal",
    parameters: "device name",
    help: `take an internal snapshot of device.\n${FORMAT_HELP}`,
  },
});

export const snapshotDeleteBlkdevInternal = command({
  name: "snapshot_delete_blkdev_internal",
  summary: "Deletes a snapshot inside an image.",
  arguments: { device: arg.device(), name: arg.string(), id: arg.optional(arg.string()) },
  run: async ({ machine }, { device, name, id }): Promise<void> =>
    void await deleteInternal(machine.graph, { device, name, id }),
  hmp: {
    names: "snapshot_delete_blkdev_internal",
    parameters: "device name [id]",
    help: "delete an internal snapshot of device.\n\t\t\tIf id is specified, qemu will try delete\n" +
      `\t\t\tthe snapshot matching both id and name.\n${FORMAT_HELP}`,
  },
});
