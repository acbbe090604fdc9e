/**
 * Several changes of the graph as one: each is made, and when one fails those before it are taken back, the last first.
 *
 * A command that can be part of a transaction is a {@link Prepare} of its own; by itself it is a transaction of one.
 *
 * @module
 */

/** A change that was made, or is about to be. */
export interface PreparedChange {
  /** All others are made too: what could not be taken back. Does not throw. */
  commit?(): Promise<void> | void;
  /** Takes the change back. */
  abort?(): Promise<void> | void;
}

/** Makes a change. @throws where it cannot, having changed nothing */
export type Prepare = () => Promise<PreparedChange> | PreparedChange;

/**
 * Makes all changes or none. Changes that are made at once follow each other without a wait, so that no request of the
 * guest comes between them.
 * @throws what the first throws that cannot be made
 */
export async function changeTogether(prepares: readonly Prepare[]): Promise<void> {
  const changes: PreparedChange[] = [];
  try {
    for (const prepare of prepares) {
      const change = prepare();
      changes.push(change instanceof Promise ? await change : change);
    }
  } catch (error) {
    await takeBack(changes);
    throw error;
  }
  for (const change of changes) {
    const work = change.commit?.();
    if (work !== undefined) await work;
  }
}

/** One that cannot be taken back keeps no other from it; why the whole has failed is told, and nothing else. */
async function takeBack(changes: PreparedChange[]): Promise<void> {
  for (const change of changes.reverse()) {
    try {
      const work = change.abort?.();
      if (work !== undefined) await work;
    } catch {
      continue;
    }
  }
}
