/**
 * Formats that QEMU opens and moa does not, by what an image begins with: such an image is refused by name. Taken for
 * raw, a guest would see another format's header as its disk, and write over it.
 *
 * Left out: fixed VHD images, which only their last sector tells from raw ones, for QEMU as well.
 *
 * Source: the formats' own specifications, each named at its row; [RAW] is what is left.
 *
 * @module
 */

interface ForeignFormat {
  readonly name: string;
  /** As a driver's `probe` tells: 100 for a magic number, little for a name or a text. */
  probe(head: DataView, filename: string): number;
}

function startsWith(head: DataView, text: string, at = 0): boolean {
  if (head.byteLength < at + text.length) return false;
  for (let i = 0; i < text.length; i++) if (head.getUint8(at + i) !== text.charCodeAt(i)) return false;
  return true;
}

function magic(...texts: string[]): ForeignFormat["probe"] {
  return (head) => texts.some((text) => startsWith(head, text)) ? 100 : 0;
}

/** [VMDK] "The Descriptor File": comments and blank lines, then the version. */
function isVmdkDescriptor(head: DataView): boolean {
  const text = new TextDecoder("latin1").decode(head);
  return /^(?:#[^\n]*\n| +\r?\n)*version=[123]\r?\n/.test(text);
}

function isBochs(head: DataView): boolean {
  if (!startsWith(head, "Bochs Virtual HD Image\0") || !startsWith(head, "Redolog\0", 32)) return false;
  if (!startsWith(head, "Growing\0", 48) || head.byteLength < 68) return false;
  const version = head.getUint32(64, true);
  return version === 0x10000 || version === 0x20000;
}

const CLOOP_SCRIPT = "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n";

const FORMATS: readonly ForeignFormat[] = [
  // [VMDK] "Hosted Sparse Extents", "ESX Server Sparse Extents"
  { name: "vmdk", probe: (head) => isVmdkDescriptor(head) ? 100 : magic("KDMV", "COWD")(head, "") },
  // [VDI] the signature behind the comment of 64 bytes
  { name: "vdi", probe: (head) => head.byteLength >= 68 && head.getUint32(64, true) === 0xbeda107f ? 100 : 0 },
  // [QCOW] version 1
  { name: "qcow", probe: magic("QFI\xfb\0\0\0\x01") },
  // [QED] "Header"
  { name: "qed", probe: magic("QED\0") },
  // [VHD] the copy of the footer that dynamic images begin with
  { name: "vpc", probe: magic("conectix") },
  // [VHDX] "File Type Identifier"
  { name: "vhdx", probe: magic("vhdxfile") },
  // [PARALLELS] "Catalogue"
  { name: "parallels", probe: magic("WithoutFreeSpace\x02\0\0\0", "WithouFreSpacExt\x02\0\0\0") },
  // [LUKS] "PHDR layout"
  { name: "luks", probe: magic("LUKS\xba\xbe\0\x01") },
  // [BOCHS] "Growing disk images"
  { name: "bochs", probe: (head) => isBochs(head) ? 100 : 0 },
  { name: "cloop", probe: (head) => startsWith(head, CLOOP_SCRIPT) ? 2 : 0 },
  { name: "dmg", probe: (_head, filename) => filename.endsWith(".dmg") ? 2 : 0 },
];

/** Which format `head`, an image's first bytes, or its name belongs to, and how surely; `undefined` for none of these. */
export function foreignFormat(head: Uint8Array, filename: string): { name: string; score: number } | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let best: { name: string; score: number } | undefined;
  for (const format of FORMATS) {
    const score = format.probe(view, filename);
    if (score > (best?.score ?? 0)) best = { name: format.name, score };
  }
  return best;
}
