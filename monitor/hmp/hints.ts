/**
 * What moa adds, under its own name, to an unknown word: the word that was probably meant, or where it works.
 *
 * @module
 */
import { ABSENT_COMMANDS } from "./absent.ts";
import { QMP_COMMANDS } from "../qmp/commands/mod.ts";
import type { CommandRegistry } from "../schema/registry.ts";

/** QMP's names that people try at the prompt, and HMP's for the same thing. */
const QMP_NAMES: Readonly<Record<string, string>> = {
  "query-block": "info block",
  "query-blockstats": "info blockstats",
  "query-named-block-nodes": "info block -n",
  "query-status": "info status",
  "query-version": "info version",
  "query-pci": "info pci",
  "query-name": "info name",
  "query-uuid": "info uuid",
  "query-commands": "help",
  "query-cpus-fast": "info cpus",
  "query-block-jobs": "info block-jobs",
  "block-commit": "commit",
  "block-job-cancel": "block_job_cancel",
  "block-job-complete": "block_job_complete",
  "block-job-pause": "block_job_pause",
  "block-job-resume": "block_job_resume",
  "block-job-set-speed": "block_job_set_speed",
  "block-set-speed": "block_job_set_speed",
  "block-stream": "block_stream",
  "blockdev-add": "drive_add -n",
  "blockdev-backup": "drive_backup",
  "blockdev-mirror": "drive_mirror",
  "blockdev-snapshot-sync": "snapshot_blkdev",
  "blockdev-snapshot-internal-sync": "snapshot_blkdev_internal",
  "blockdev-snapshot-delete-internal-sync": "snapshot_delete_blkdev_internal",
  "drive-backup": "drive_backup",
  "drive-mirror": "drive_mirror",
  "job-cancel": "block_job_cancel",
  "job-complete": "block_job_complete",
  "job-pause": "block_job_pause",
  "job-resume": "block_job_resume",
  "query-jobs": "info block-jobs",
  "blockdev-reopen": "qemu-io DEVICE reopen",
  "blockdev-del": "drive_del",
  "blockdev-change-medium": "change",
  "human-monitor-command": "the command itself",
  "object-add": "object_add",
  "object-del": "object_del",
  "snapshot-save": "savevm",
  "snapshot-load": "loadvm",
  "snapshot-delete": "delvm",
  "trace-event-set-state": "trace-event",
  "trace-event-get-state": "info trace-events",
};

/** One line without a newline, or `undefined` where nothing comes near. */
export function unknownWordHint(words: string, registry: CommandRegistry): string | undefined {
  const hmp = QMP_NAMES[words];
  if (hmp !== undefined) {
    const first = hmp.split(" ")[0]!;
    const here = first === "the" || first === "info" || registry.find(first) !== undefined;
    return `${words} is a command of QMP; here it is: ${hmp}${here ? "" : " (not in this version)"}`;
  }
  const asked = hmpNameOf(words, registry);
  if (asked !== undefined) return `${words} is a command of QMP; here it is: ${asked}`;
  if (Object.hasOwn(QMP_COMMANDS, words)) {
    return `${words} is a command of QMP, which -qmp opens; the prompt has none for it`;
  }
  const plain = words.replace(/\s+/g, " ");
  if (ABSENT_COMMANDS.has(plain)) return `QEMU has '${plain}', moa does not have it yet`;
  const group = words.startsWith("info ") ? "info" : undefined;
  const typed = group === undefined ? words : words.slice("info ".length).trim();
  const known = registry.table(group).flatMap((entry) => entry.words);
  const near = nearest(typed, known);
  if (near !== undefined) return `did you mean '${group === undefined ? "" : "info "}${near}'?`;
  if (group === undefined && registry.find(typed, "info") !== undefined) return `did you mean 'info ${typed}'?`;
  return undefined;
}

/** The prompt's name for a command of QMP: `info x` for `query-x`, underscores for dashes. */
function hmpNameOf(words: string, registry: CommandRegistry): string | undefined {
  if (!Object.hasOwn(QMP_COMMANDS, words)) return undefined;
  const topic = /^query-(.*)$/.exec(words)?.[1];
  if (topic !== undefined) {
    return [topic, topic.replaceAll("-", "_")].filter((name) => registry.find(name, "info") !== undefined)
      .map((name) => `info ${name}`)[0];
  }
  const plain = words.replaceAll("-", "_");
  return registry.find(plain) === undefined ? undefined : plain;
}

/** The nearest of `known`, where it differs in no more than a third of its letters; a beginning counts as near. */
export function nearest(typed: string, known: readonly string[]): string | undefined {
  if (typed.length > 64) return undefined;
  const beginning = typed.length >= 2 ? known.find((word) => word.startsWith(typed)) : undefined;
  let best: { word: string; distance: number } | undefined;
  for (const word of known) {
    const distance = editDistance(typed, word);
    if (distance <= Math.max(1, Math.floor(word.length / 3)) && distance < (best?.distance ?? Infinity)) {
      best = { word, distance };
    }
  }
  return typed.length < 2 ? undefined : beginning ?? best?.word;
}

/** How many letters must be changed, added, dropped or swapped with a neighbour. */
function editDistance(a: string, b: string): number {
  let twoBack: number[] = [];
  let back = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(back[j]! + 1, row[j - 1]! + 1, back[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, twoBack[j - 2]! + 1);
      row.push(cost);
    }
    twoBack = back;
    back = row;
  }
  return back[b.length]!;
}
