/**
 * `convert --bitmaps`: the persistent bitmaps of the source, in the target too.
 *
 * @module
 */
import { addBitmap, BlockError, type BlockNode, mergeBitmaps } from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";

/** Refuses a source without bitmap support, or with bitmaps that nobody can trust. @throws {Exit} */
export function checkSourceBitmaps(program: Program, source: BlockNode, skipBroken: boolean): void {
  if (source.driver.bitmapStore?.supported !== true) program.fail("Source lacks bitmap support");
  for (const { name, inconsistent } of source.bitmaps) {
    if (!inconsistent || skipBroken) continue;
    program.error(`Cannot copy inconsistent bitmap '${name}'`);
    program.line("Try --skip-broken-bitmaps, or use 'qemu-img bitmap --remove' to delete it");
    throw new Exit(1);
  }
}

/** Refuses a target that can keep no bitmaps. @throws {Exit} */
export function checkTargetBitmaps(program: Program, target: BlockNode): void {
  if (target.driver.bitmapStore?.supported === true) return;
  program.fail(`Format driver '${target.driver.name}' does not support bitmaps`);
}

/** Copies them; inconsistent ones are left out with a warning. @throws {Exit} */
export async function copyBitmaps(program: Program, source: BlockNode, target: BlockNode): Promise<void> {
  for (const { name, granularityBytes, enabled, persistent, inconsistent } of source.bitmaps) {
    if (!persistent) continue;
    if (inconsistent) {
      program.error(`warning: Skipping inconsistent bitmap '${name}'`);
      continue;
    }
    await orExit(program, `Failed to create bitmap ${name}: `, async () => {
      await addBitmap(target, { name, granularityBytes, persistent: true, disabled: !enabled });
    });
    await orExit(program, `Failed to populate bitmap ${name}: `, async () => {
      mergeBitmaps(target, name, [{ node: source, name }]);
    });
  }
}

async function orExit(program: Program, prefix: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.report(prefix, error);
    throw new Exit(1);
  }
}
