/**
 * Dialogues with a CD drive: packet commands with and without a medium, tray and lock, byte-count limits.
 *
 * @module
 */
import { type Dialogue, everyCommand, everyFeature, type Medium } from "./ata_dialogues.ts";
import { hex, Probe } from "./probe.ts";

const MiB = 1024 * 1024;
const cd: Medium = { kind: "ide-cd", index: 2, sizeBytes: MiB };
const empty: Medium = { kind: "ide-cd", index: 2 };
const dvd: Medium = { kind: "ide-cd", index: 2, sizeBytes: 1024 * MiB };

function dialogue(name: string, media: readonly Medium[], steps: (probe: Probe) => Promise<void>): Dialogue {
  return {
    name,
    media,
    async run(bus) {
      const probe = new Probe(bus, 1);
      await steps(probe);
      return probe.lines;
    },
  };
}

/** Big-endian allocation length 4096 in bytes 7 and 8, or 8 and 9. */
const CDBS: readonly (readonly [string, readonly number[]])[] = [
  ["TEST UNIT READY", [0x00]],
  ["INQUIRY 36", [0x12, 0, 0, 0, 36]],
  ["INQUIRY 6", [0x12, 0, 0, 0, 6]],
  ["INQUIRY 254", [0x12, 0, 0, 0, 254]],
  ["INQUIRY 0", [0x12, 0, 0, 0, 0]],
  ["INQUIRY page without EVPD", [0x12, 0, 5, 0, 36]],
  ["INQUIRY VPD 00", [0x12, 1, 0x00, 0, 254]],
  ["INQUIRY VPD 83", [0x12, 1, 0x83, 0, 254]],
  ["INQUIRY VPD 80", [0x12, 1, 0x80, 0, 254]],
  ["REQUEST SENSE 18", [0x03, 0, 0, 0, 18]],
  ["REQUEST SENSE 4", [0x03, 0, 0, 0, 4]],
  ["REQUEST SENSE 0", [0x03, 0, 0, 0, 0]],
  ["READ CAPACITY", [0x25]],
  ["READ TOC", [0x43, 0, 0, 0, 0, 0, 0, 0x10, 0]],
  ["READ TOC MSF", [0x43, 2, 0, 0, 0, 0, 0, 0x10, 0]],
  ["READ TOC 4", [0x43, 2, 0, 0, 0, 0, 0, 0, 4]],
  ["READ TOC track 1", [0x43, 0, 0, 0, 0, 0, 1, 0x10, 0]],
  ["READ TOC track 2", [0x43, 0, 0, 0, 0, 0, 2, 0x10, 0]],
  ["READ TOC lead-out", [0x43, 0, 0, 0, 0, 0, 0xaa, 0x10, 0]],
  ["READ TOC sessions", [0x43, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x40]],
  ["READ TOC raw", [0x43, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x80]],
  ["READ TOC raw MSF", [0x43, 2, 0, 0, 0, 0, 0, 0x10, 0, 0x80]],
  ["READ TOC format 3", [0x43, 0, 0, 0, 0, 0, 0, 0x10, 0, 0xc0]],
  ["GET CONFIGURATION", [0x46, 0, 0, 0, 0, 0, 0, 0x10, 0]],
  ["GET CONFIGURATION RT 1", [0x46, 1, 0, 0, 0, 0, 0, 0x10, 0]],
  ["GET CONFIGURATION RT 2", [0x46, 2, 0, 0, 0, 0, 0, 0x10, 0]],
  ["GET CONFIGURATION feature 3", [0x46, 2, 0, 3, 0, 0, 0, 0x10, 0]],
  ["GET CONFIGURATION feature 256", [0x46, 2, 1, 0, 0, 0, 0, 0x10, 0]],
  ["GET CONFIGURATION 0", [0x46, 0, 0, 0, 0, 0, 0, 0, 0]],
  ["GET CONFIGURATION 4", [0x46, 0, 0, 0, 0, 0, 0, 0, 4]],
  ["GET EVENT STATUS unpolled", [0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8]],
  ["GET EVENT STATUS media", [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]],
  ["GET EVENT STATUS all", [0x4a, 1, 0, 0, 0xff, 0, 0, 0, 8]],
  ["GET EVENT STATUS none", [0x4a, 1, 0, 0, 0, 0, 0, 0, 8]],
  ["GET EVENT STATUS 4", [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 4]],
  ["READ DISC INFORMATION", [0x51, 0, 0, 0, 0, 0, 0, 0x10, 0]],
  ["READ DISC INFORMATION type 1", [0x51, 1, 0, 0, 0, 0, 0, 0x10, 0]],
  ["READ DISC INFORMATION 4", [0x51, 0, 0, 0, 0, 0, 0, 0, 4]],
  ["MODE SENSE 01", [0x5a, 0, 0x01, 0, 0, 0, 0, 0x10, 0]],
  ["MODE SENSE 2a", [0x5a, 0, 0x2a, 0, 0, 0, 0, 0x10, 0]],
  ["MODE SENSE 3f", [0x5a, 0, 0x3f, 0, 0, 0, 0, 0x10, 0]],
  ["MODE SENSE 2a changeable", [0x5a, 0, 0x6a, 0, 0, 0, 0, 0x10, 0]],
  ["MODE SENSE 2a default", [0x5a, 0, 0xaa, 0, 0, 0, 0, 0x10, 0]],
  ["MODE SENSE 2a saved", [0x5a, 0, 0xea, 0, 0, 0, 0, 0x10, 0]],
  ["MODE SENSE 05", [0x5a, 0, 0x05, 0, 0, 0, 0, 0x10, 0]],
  ["MODE SENSE 01 8", [0x5a, 0, 0x01, 0, 0, 0, 0, 0, 8]],
  ["READ DVD STRUCTURE 00", [0xad, 0, 0, 0, 0, 0, 0, 0x00, 0x10, 0]],
  ["READ DVD STRUCTURE 01", [0xad, 0, 0, 0, 0, 0, 0, 0x01, 0x10, 0]],
  ["READ DVD STRUCTURE 02", [0xad, 0, 0, 0, 0, 0, 0, 0x02, 0x10, 0]],
  ["READ DVD STRUCTURE 03", [0xad, 0, 0, 0, 0, 0, 0, 0x03, 0x10, 0]],
  ["READ DVD STRUCTURE 04", [0xad, 0, 0, 0, 0, 0, 0, 0x04, 0x10, 0]],
  ["READ DVD STRUCTURE ff", [0xad, 0, 0, 0, 0, 0, 0, 0xff, 0x10, 0]],
  ["READ DVD STRUCTURE layer 1", [0xad, 0, 0, 0, 0, 0, 1, 0x00, 0x10, 0]],
  ["READ DVD STRUCTURE address", [0xad, 0, 0, 0, 0, 5, 0, 0x00, 0x10, 0]],
  ["READ DVD STRUCTURE BD", [0xad, 1, 0, 0, 0, 0, 0, 0x00, 0x10, 0]],
  ["READ DVD STRUCTURE c0", [0xad, 0, 0, 0, 0, 0, 0, 0xc0, 0x10, 0]],
  ["SET SPEED", [0xbb, 0, 0xff, 0xff]],
  ["MECHANISM STATUS", [0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8]],
  ["MECHANISM STATUS 4", [0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 4]],
  ["MECHANISM STATUS 0", [0xbd]],
  ["SEEK 0", [0x2b, 0, 0, 0, 0, 0]],
  ["SEEK 511", [0x2b, 0, 0, 0, 1, 0xff]],
  ["SEEK 512", [0x2b, 0, 0, 0, 2, 0]],
  ["READ(10) 0", [0x28]],
  ["READ(10) 1", [0x28, 0, 0, 0, 0, 3, 0, 0, 1]],
  ["READ(10) 2", [0x28, 0, 0, 0, 0, 4, 0, 0, 2]],
  ["READ(10) last", [0x28, 0, 0, 0, 1, 0xff, 0, 0, 1]],
  ["READ(10) beyond", [0x28, 0, 0, 0, 2, 0, 0, 0, 1]],
  ["READ(10) across", [0x28, 0, 0, 0, 1, 0xff, 0, 0, 2]],
  ["READ(10) far", [0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1]],
  ["READ(12) 1", [0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 1]],
  ["READ CD nothing", [0xbe, 0, 0, 0, 0, 0, 0, 0, 1, 0]],
  ["READ CD data", [0xbe, 0, 0, 0, 0, 6, 0, 0, 1, 0x10]],
  ["READ CD raw", [0xbe, 0, 0, 0, 0, 7, 0, 0, 2, 0xf8]],
  ["READ CD sync", [0xbe, 0, 0, 0, 0, 0, 0, 0, 1, 0x80]],
  ["READ CD 0", [0xbe, 0, 0, 0, 0, 0, 0, 0, 0, 0x10]],
  ["READ CD beyond", [0xbe, 0, 0, 0, 2, 0, 0, 0, 1, 0x10]],
  ["READ CD raw beyond", [0xbe, 0, 0, 0, 2, 0, 0, 0, 1, 0xf8]],
];

const GESN = [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8];

async function tour(probe: Probe): Promise<void> {
  for (const [name, cdb] of CDBS) {
    await probe.packet(name, cdb);
    await probe.sense();
  }
}

async function everyPacket(probe: Probe): Promise<void> {
  const moved = [0x1b, 0x28, 0xa8, 0xbe];
  const outcomes: [string, string][] = [];
  for (let code = 0; code < 256; code++) {
    if (moved.includes(code)) continue;
    await probe.packet("", [0x1e]);
    const cdb = [code, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x40];
    outcomes.push([
      hex(code),
      await probe.outcome(async () => {
        await probe.packet("", cdb);
        await probe.sense("");
      }),
    ]);
  }
  probe.logGroups(outcomes);
}

async function identify(probe: Probe): Promise<void> {
  await probe.plain("IDENTIFY DEVICE", 0xec, { device: 0xa0 });
  await probe.issue(0xa1, { device: 0xa0 });
  const bytes = await probe.dataIn("IDENTIFY PACKET DEVICE");
  for (let at = 0; bytes !== undefined && at < 512; at += 32) {
    probe.log(`${at / 2}: ${Array.from(bytes.subarray(at, at + 32), (byte) => hex(byte)).join("")}`);
  }
}

export const ATAPI_DIALOGUES: readonly Dialogue[] = [
  dialogue("CD: identify", [cd], identify),
  dialogue("CD: identify with names", [{ ...cd, properties: "serial=xyz,model=foo,ver=1,wwn=5" }], async (probe) => {
    await identify(probe);
    await probe.packet("INQUIRY", [0x12, 0, 0, 0, 36]);
    await probe.packet("INQUIRY VPD 83", [0x12, 1, 0x83, 0, 254]);
  }),
  dialogue("CD: every command code", [cd], (probe) => everyCommand(probe, 0xa0, 0)),
  dialogue("CD: every feature", [cd], async (probe) => {
    await identify(probe);
    await everyFeature(probe, 0xa0);
    await probe.plain("transfer mode", 0xef, { features: 0x03, count: 0x22, device: 0xa0 });
    await identify(probe);
    await probe.plain("write cache on", 0xef, { features: 0x02, device: 0xa0 });
    await identify(probe);
  }),
  dialogue("CD: every packet code", [cd], everyPacket),
  dialogue("CD: every packet code, empty", [empty], everyPacket),
  dialogue("CD: packet commands", [cd], tour),
  dialogue("CD: packet commands, empty", [empty], tour),
  dialogue("CD: packet commands, DVD", [dvd], tour),
  dialogue("CD: tray and lock", [cd], async (probe) => {
    const step = async (name: string, cdb: readonly number[]) => {
      await probe.packet(name, cdb);
      await probe.sense();
    };
    await step("PREVENT", [0x1e, 0, 0, 0, 1]);
    await step("MODE SENSE 2a", [0x5a, 0, 0x2a, 0, 0, 0, 0, 0x10, 0]);
    await step("eject while locked", [0x1b, 0, 0, 0, 2]);
    await step("ALLOW", [0x1e]);
    await step("start", [0x1b, 0, 0, 0, 1]);
    await step("stop", [0x1b]);
    await step("power condition", [0x1b, 0, 0, 0, 0x12]);
    await step("eject", [0x1b, 0, 0, 0, 2]);
    for (const [name, cdb] of CDBS) {
      if (/^(TEST|READ CAPACITY|GET|MODE SENSE 2a|MECH|READ TOC 4)/.test(name)) await step(`open: ${name}`, cdb);
    }
    await step("load", [0x1b, 0, 0, 0, 3]);
    for (let i = 0; i < 2; i++) await step("event", GESN);
    for (let i = 0; i < 2; i++) await step("TEST UNIT READY", [0]);
    await step("PREVENT", [0x1e, 0, 0, 0, 1]);
    await probe.softReset();
    await step("locked after SRST? MODE SENSE 2a", [0x5a, 0, 0x2a, 0, 0, 0, 0, 0x10, 0]);
    await step("ALLOW", [0x1e]);
    await step("eject", [0x1b, 0, 0, 0, 2]);
    await probe.softReset();
    await step("open after SRST? event", GESN);
    await step("TEST UNIT READY", [0]);
    await step("eject", [0x1b, 0, 0, 0, 2]);
    await probe.out(7, 0x08);
    await probe.idle();
    await step("open after DEVICE RESET? event", GESN);
    await step("TEST UNIT READY", [0]);
  }),
  dialogue("CD: the user changes the medium", [cd], async (probe) => {
    const step = async (name: string, cdb: readonly number[]) => {
      await probe.packet(name, cdb);
      await probe.sense();
    };
    const look = async (name: string) => {
      await probe.show(name);
      await step("INQUIRY", [0x12, 0, 0, 0, 36]);
      for (let i = 0; i < 2; i++) await step("event", GESN);
      for (let i = 0; i < 3; i++) await step("TEST UNIT READY", [0]);
    };
    await look("before");
    await probe.bus.monitor("eject drive2");
    await look("ejected");
    await probe.bus.monitor("change drive2 @other");
    await step("READ TOC", [0x43, 0, 0, 0, 0, 0, 0, 0x10, 0]);
    await look("inserted");
    await step("READ(10)", [0x28, 0, 0, 0, 0, 3, 0, 0, 1]);
    await probe.bus.monitor("change drive2 @other");
    await look("changed");
    await step("PREVENT", [0x1e, 0, 0, 0, 1]);
    await probe.bus.monitor("eject drive2");
    await look("eject while locked");
    await step("ALLOW", [0x1e]);
    await probe.bus.monitor("eject -f drive2");
    await look("forced");
    await probe.softReset();
    await look("after a reset");
  }),
  dialogue("CD: byte count limits", [cd], async (probe) => {
    for (const limit of [2, 6, 2046, 2048, 2050, 4096, 0x8000, 0xfffe, 0xffff, 0, 3, 513]) {
      await probe.packet(`READ(10) of 3 by ${limit}`, [0x28, 0, 0, 0, 0, 1, 0, 0, limit < 100 ? 0 : 3], limit);
      await probe.packet(`INQUIRY by ${limit}`, [0x12, 0, 0, 0, 36], limit);
      await probe.softReset();
    }
  }),
  dialogue("CD: reset in the middle", [cd], async (probe) => {
    await probe.out(4, 0);
    await probe.out(5, 8);
    await probe.out(6, 0xa0);
    await probe.out(7, 0xa0);
    await probe.idle();
    await probe.show("packet wanted");
    await probe.bus.outs16(probe.base, new Uint8Array(6));
    await probe.show("half of it");
    await probe.out(7, 0x08);
    await probe.idle();
    await probe.show("DEVICE RESET");
    await probe.packet("INQUIRY", [0x12, 0, 0, 0, 36]);
    await probe.out(7, 0xa0);
    await probe.idle();
    await probe.bus.outs16(probe.base, Uint8Array.of(0x12, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0));
    await probe.idle();
    await probe.show("data waits");
    await probe.out(7, 0xec);
    await probe.show("a command while data waits");
    await probe.softReset();
    await probe.show("SRST");
    await probe.packet("INQUIRY", [0x12, 0, 0, 0, 36]);
  }),
];
