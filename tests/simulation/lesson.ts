/**
 * One planted bug from the rule to the damage: what the rule is, how little it takes to break it, and what is left.
 *
 * @module
 */
import { type Features, NAMES, PLAIN } from "./features.ts";
import { bytesOf, type FileContent } from "./pages.ts";
import type { PlantedBug } from "./plants.ts";
import { run } from "./run.ts";
import { simulate } from "./simulate.ts";
import { DISK_NAME } from "./world.ts";

/** The lesson, line by line, and the image that the bug costs. */
export interface Lesson {
  readonly lines: readonly string[];
  readonly image: Uint8Array | undefined;
}

/** A plain disk of small clusters, so that nothing but the bug is to be seen. */
const SMALL: Features = { ...PLAIN, clusterBytes: 512, discard: "unmap" };

/** Finds the planted bug, and tells its story. */
export async function lesson(bug: PlantedBug): Promise<Lesson> {
  const { failure, seeds, coverage } = await simulate({ seeds: 500, planted: bug, features: SMALL });
  if (failure === undefined) return { lines: [`${bug.name} was not found`], image: undefined };
  const { plan, outcome } = failure;
  const { plant: _plant, ...sound } = plan;
  const without = await run(sound);
  const damage = (outcome.failure?.message ?? "").split("; ").map((line) => `    ${line}`);
  return {
    lines: [
      `The rule:    ${bug.rule}`,
      `The bug:     ${bug.name}, planted in the host below the image.`,
      `Found:       by seed ${plan.seed}, the ${
        ordinal(seeds)
      }, after ${coverage.crashPoints} power failures that went well.`,
      `It takes:    ${plan.steps.map(({ kind }) => kind).join(", ") || "nothing but opening"}; then power is lost.`,
      `The disk:    ${NAMES.map((name) => `${name} ${plan.features[name]}`).join(", ")}`,
      "What is left:",
      ...damage,
      `Without the bug the same moment is ${without.failure === undefined ? "harmless" : "no better"}.`,
      `Again:       deno task simulate --plant ${bug.name} --replay '${failure.replay}'`,
    ],
    image: bytesOfDisk(outcome.files),
  };
}

/** The guest's disk among the files that power loss left. */
export function bytesOfDisk(files: ReadonlyMap<string, FileContent> | undefined): Uint8Array | undefined {
  const content = files?.get(DISK_NAME);
  return content === undefined ? undefined : bytesOf(content);
}

function ordinal(number: number): string {
  const last = number % 10;
  const teen = number % 100 > 10 && number % 100 < 14;
  return `${number}${teen ? "th" : ["th", "st", "nd", "rd"][last] ?? "th"}`;
}
