/**
 * Firmware and boot sectors on the CPU.
 */
import { assert, assertEquals } from "@std/assert";
import { bootDisk, haveSeaBios, makeGuest } from "./boot_sector.ts";

/** mov dx,402; al='M'; out dx,al; 'O'; 'A' then cli; hlt; jmp. */
const HELLO = [0xba, 0x02, 0x04, 0xb0, 0x4d, 0xee, 0xb0, 0x4f, 0xee, 0xb0, 0x41, 0xee, 0xfa, 0xf4, 0xeb, 0xfc];

/** The general registers. */
function registers(state: Uint8Array): Uint8Array {
  return state.slice(4, 4 + 32);
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "SeaBIOS boots from an IDE disk; again after a reset; the state goes on in another machine",
  ignore: !haveSeaBios(),
  fn: () =>
    inFolder(async (folder) => {
      let state: Uint8Array;
      {
        await using guest = await makeGuest({ folder, disk: bootDisk(HELLO) });
        await guest.machine.cont();
        await guest.waitFor(/Booting from Hard Disk[^]*MOA/);
        await guest.machine.reset();
        await guest.waitFor(/MOA[^]*Booting from Hard Disk[^]*MOA/);
        await guest.machine.stop();
        assert(guest.cpu.core.halted);
        state = guest.cpu.save();
        const before = guest.cpu.core.instructions;
        await new Promise((resolve) => setTimeout(resolve, 5));
        assertEquals(guest.cpu.core.instructions, before);
      }
      await using other = await makeGuest({ folder, disk: bootDisk(HELLO) });
      other.cpu.load(state);
      assertEquals(registers(other.cpu.save()), registers(state));
      assert(other.cpu.core.halted);
    }),
});

Deno.test("a guest that spins leaves the event loop its turns", () =>
  inFolder(async (folder) => {
    const firmware = new Uint8Array(0x1_0000);
    firmware.set([0xeb, 0xfe], 0xfff0); // jmp $
    await using guest = await makeGuest({ folder, disk: bootDisk([]), firmware });
    await guest.machine.cont();
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    assert(guest.cpu.core.instructions > 1000);
    await guest.machine.stop();
    assertEquals(guest.machine.runState, "paused");
  }));

Deno.test("the CPU is the one that the machine says it has", () =>
  inFolder(async (folder) => {
    const firmware = new Uint8Array(0x1_0000);
    firmware.set([0x66, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0xf4, 0xeb, 0xfd], 0xfff0); // mov eax,1; cpuid; hlt; jmp
    await using guest = await makeGuest({ folder, disk: bootDisk([]), firmware });
    await guest.machine.cont();
    for (let turn = 0; turn < 10_000 && !guest.cpu.core.halted; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const { EAX, EDX } = guest.cpu.cpu.registers().general;
    assertEquals(BigInt(EDX! >>> 0) << 32n | BigInt(EAX! >>> 0), guest.cpu.can.processorId);
  }));
