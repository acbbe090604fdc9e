/**
 * Jobs that break one rule on purpose. A simulation that does not find each of them finds nothing.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import type { BlockBackend, BlockDriver, BlockNode } from "../../block/mod.ts";
import { layersOf } from "./job_world.ts";
import type { JobKind } from "./job_kinds.ts";
import type { JobPlan } from "./job_run.ts";

/** A mistake, the rule that it breaks, and a kind of job that it is made in. */
export interface PlantedJobBug {
  readonly name: string;
  readonly kind: JobKind;
  readonly rule: string;
  readonly plant: NonNullable<JobPlan["plant"]>;
}

/** The job's filter, over the guest's layer, lets writes pass unseen. */
function passWrites(drive: BlockBackend): void {
  const driver = drive.node!.driver as BlockDriver & { readonly below: BlockNode };
  driver.write = (at, from) => driver.below.write(at, from);
}

/** Every bug; each must be found. */
export const PLANTED_JOB_BUGS: readonly PlantedJobBug[] = [
  {
    name: "mirror misses writes",
    kind: "mirror",
    rule: "what the guest writes behind the copying is copied again",
    plant: passWrites,
  },
  {
    name: "blocking mirror misses writes",
    kind: "mirror, blocking",
    rule: "what the guest writes goes to both",
    plant: passWrites,
  },
  {
    name: "mirror below a filter misses writes",
    kind: "mirror, replaces",
    rule: "what the guest writes behind the copying is copied again",
    plant: passWrites,
  },
  {
    name: "active commit misses writes",
    kind: "active commit",
    rule: "the base gets what the guest writes before the guest goes over",
    plant: passWrites,
  },
  {
    name: "mirror of the top layer misses writes",
    kind: "mirror, top",
    rule: "what the guest writes behind the copying is copied again",
    plant: passWrites,
  },
  {
    name: "backup of what is written over comes too late",
    kind: "backup, none",
    rule: "what is written over is copied before",
    plant: passWrites,
  },
  {
    name: "backup comes too late",
    kind: "backup",
    rule: "what is written over is copied before",
    plant: passWrites,
  },
  {
    name: "stream copies over writes",
    kind: "stream",
    rule: "no write of the guest comes between reading what lies below and writing it up",
    plant(drive) {
      const [top] = layersOf(drive);
      top!.copyUp = async (at, into) => {
        const length = "slices" in into ? into.length : into.zeroBytes;
        const data = IoVector.allocate(length);
        await top!.read(at, data);
        for (let done = 0; done < length; done += SECTOR_BYTES) {
          await top!.write(at + done, data.slice(done, SECTOR_BYTES));
        }
      };
    },
  },
  {
    name: "commit leaves the base unflushed",
    kind: "commit",
    rule: "what was committed is durable before the overlay lets go of the layer that had it",
    plant(drive) {
      layersOf(drive).at(-1)!.flush = () => Promise.resolve();
    },
  },
];
