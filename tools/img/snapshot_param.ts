/**
 * `-l`: the internal snapshot that is read instead of the active disk, by `ID_OR_NAME` or
 * `snapshot.id=ID,snapshot.name=NAME`.
 *
 * @module
 */
import { OptionError, QemuOpts } from "../../base/keyval.ts";
import { BlockError, type BlockNode } from "../../block/mod.ts";
import type { Program } from "../common/program.ts";

/** Which snapshot is meant. */
export interface SnapshotWish {
  readonly id: string | undefined;
  readonly name: string | undefined;
  /** One word, which is looked for among ids first. */
  readonly word: string | undefined;
}

/** Reads the option's value. @throws {Exit} */
export function snapshotParam(program: Program, text: string): SnapshotWish {
  if (!text.startsWith("snapshot.")) return { id: undefined, name: undefined, word: text };
  try {
    const opts = QemuOpts.parse(text, { table: { "snapshot.id": "string", "snapshot.name": "string" } });
    return { id: opts.get("snapshot.id"), name: opts.get("snapshot.name"), word: undefined };
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    program.report("", error);
    return program.fail(`Failed in parsing snapshot param '${text}'`);
  }
}

/** Makes `node`, which is open for reading, show the snapshot. @throws {Exit} */
export async function showSnapshot(program: Program, node: BlockNode, wish: SnapshotWish): Promise<void> {
  const store = node.driver.snapshots;
  if (store?.load === undefined) {
    program.fail(
      `Failed to load snapshot: Block format '${node.driver.name}' used by device '' does not support temporarily ` +
        "loading internal snapshots",
    );
  }
  const list = store.list();
  const { id, name, word } = wish;
  const found = word === undefined
    ? list.find((one) => (id === undefined || one.id === id) && (name === undefined || one.name === name))
    : list.find((one) => one.id === word) ?? list.find((one) => one.name === word);
  if (found === undefined) program.fail("Failed to load snapshot: Can't find snapshot");
  try {
    await store.load(found.id);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.fail(`Failed to load snapshot: ${error.message}`);
  }
}
