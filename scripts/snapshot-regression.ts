/**
 * Snapshots and commit, checked sector by sector: what a regression run looks like as a script.
 *
 * It makes a base and an overlay, lets the guest's IDE driver write, takes a snapshot, lets it write more, goes back, and
 * commits. After each step every sector is compared with what a plain array says that it must hold. The first difference
 * ends the run with status 1.
 *
 *     deno run -P=script scripts/snapshot-regression.ts [--sectors N] [--keep]
 *
 * @module
 */
import { createImage, IdeGuest, MiB, openImage, requirePermissions, SECTOR_BYTES, SeededRandom, Vm } from "../mod.ts";

requirePermissions("script");

const keep = Deno.args.includes("--keep");
const sectorsArgument = Deno.args[Deno.args.indexOf("--sectors") + 1];
const sectorsWritten = Deno.args.includes("--sectors") ? Number(sectorsArgument) : 400;
if (!Number.isSafeInteger(sectorsWritten) || sectorsWritten < 1) {
  console.error(`snapshot-regression: --sectors wants a whole number above 0, not '${sectorsArgument}'`);
  Deno.exit(2);
}

const DISK_BYTES = 8 * MiB;
const random = new SeededRandom(2012);
/** What the disk must hold: the independent truth. */
const model = new Uint8Array(DISK_BYTES);
const table: { step: string; sectors: number; result: string }[] = [];

/** A difference between disk and model. */
class Difference extends Error {}

/** Compares the whole disk, read by `read`, with `expected`. */
async function check(step: string, expected: Uint8Array, read: (lba: number, count: number) => Promise<Uint8Array>) {
  const chunk = 256;
  for (let lba = 0; lba < DISK_BYTES / SECTOR_BYTES; lba += chunk) {
    const bytes = await read(lba, chunk);
    for (let i = 0; i < bytes.length; i++) {
      const at = lba * SECTOR_BYTES + i;
      if (bytes[i] === expected[at]) continue;
      table.push({ step, sectors: Math.floor(at / SECTOR_BYTES), result: "DIFFERENT" });
      throw new Difference(
        `${step}: sector ${Math.floor(at / SECTOR_BYTES)}, byte ${at % SECTOR_BYTES}: ` +
          `expected ${expected[at]}, found ${bytes[i]}`,
      );
    }
  }
  table.push({ step, sectors: DISK_BYTES / SECTOR_BYTES, result: "equal" });
}

/** Lets the guest write sectors at random places, and the model with it. */
async function guestWrites(guest: IdeGuest, count: number) {
  const disk = guest.disk(0, 0);
  for (let done = 0; done < count;) {
    const run = Math.min(1 + random.below(16), count - done);
    const lba = random.below(DISK_BYTES / SECTOR_BYTES - run);
    const bytes = new Uint8Array(run * SECTOR_BYTES);
    random.fill(bytes);
    // PIO and DMA in turn: they are different roads through the controller.
    if (random.below(2) === 0) await disk.write(lba, bytes);
    else await disk.writeDma(lba, bytes);
    model.set(bytes, lba * SECTOR_BYTES);
    done += run;
  }
  await disk.flush();
}

async function run(directory: string) {
  const base = `${directory}/base.qcow2`;
  const overlay = `${directory}/overlay.qcow2`;
  await createImage({ filename: base, format: "qcow2", size: DISK_BYTES });
  {
    await using image = await openImage(base);
    const old = new Uint8Array(2 * MiB);
    random.fill(old);
    await image.write(1 * MiB, old);
    model.set(old, 1 * MiB);
  }
  await createImage({ filename: overlay, format: "qcow2", backingFile: base, backingFormat: "qcow2" });

  const baseBefore = model.slice();
  {
    await using vm = await Vm.start({ hda: overlay, nodefaults: true });
    const guest = await IdeGuest.detect(vm.guest);
    const byGuest = (lba: number, count: number) => guest.disk(0, 0).readDma(lba, count);
    await check("overlay shows its base", model, byGuest);

    await guestWrites(guest, sectorsWritten);
    await check("guest reads what it wrote", model, byGuest);

    await vm.savevm("before");
    const atSnapshot = model.slice();
    await guestWrites(guest, sectorsWritten);
    await check("writes after savevm", model, byGuest);

    await vm.loadvm("before");
    model.set(atSnapshot);
    await check("loadvm brings the disk back", model, byGuest);

    await guestWrites(guest, sectorsWritten);
    await check("writes after loadvm", model, byGuest);

    const baseReader = async () => {
      await using image = await openImage(base, { readOnly: true, forceShare: true });
      await check(
        "base unchanged until commit",
        baseBefore,
        (lba, count) => image.read(lba * SECTOR_BYTES, count * SECTOR_BYTES),
      );
    };
    await baseReader();

    await vm.commit("ide0-hd0");
    await check("guest reads the same after commit", model, byGuest);
  }
  {
    await using image = await openImage(base);
    await check("base holds all of it", model, (lba, count) => image.read(lba * SECTOR_BYTES, count * SECTOR_BYTES));
    const { corruptions, leaks } = await image.check();
    if (corruptions + leaks > 0) throw new Difference(`base: ${corruptions} corruptions, ${leaks} leaks`);
  }
}

const directory = await Deno.makeTempDir({ prefix: "moa-regression-" });
let status = 0;
try {
  await run(directory);
} catch (error) {
  if (!(error instanceof Difference)) throw error;
  console.error(`snapshot-regression: ${error.message}`);
  status = 1;
} finally {
  console.table(table);
  if (keep) console.log(`images are in ${directory}`);
  else await Deno.remove(directory, { recursive: true });
}
Deno.exit(status);
