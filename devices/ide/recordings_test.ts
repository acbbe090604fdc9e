/**
 * Every dialogue with a drive goes here as it went with real QEMU 7.2: from the recording, and live where it is there.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram } from "../../tests/support/programs.ts";
import { DIALOGUES, readRecordings, record } from "./testing/recording.ts";
import { play } from "./testing/rig.ts";

const recordings = await readRecordings();

for (const dialogue of DIALOGUES) {
  Deno.test(`ide as recorded: ${dialogue.name}`, async () => {
    assertEquals(await play(dialogue), recordings.get(dialogue.name));
  });
}

Deno.test({
  name: "ide: the recordings are what QEMU says today",
  ignore: !haveProgram("qemu-system-x86_64"),
  async fn() {
    for (
      const name of ["identify default", "reset and selection, two disks", "reads", "DMA reads", "CD: tray and lock"]
    ) {
      const dialogue = DIALOGUES.find((candidate) => candidate.name === name)!;
      assertEquals(await record(dialogue), recordings.get(name));
    }
  },
});
