/**
 * `moa img info`: what an image says of itself, alone or with its backing chain.
 *
 * @module
 */
import { type ImageInfo, imageInfo, imageInfoText } from "../../monitor/format/mod.ts";
import { NS_PER_S } from "../../base/units.ts";
import type { SnapshotInfo } from "../../block/mod.ts";
import type { Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { makeGraph, openImage, outputFormat } from "./images.ts";
import { type Json, prettyJson } from "./json.ts";

const SPEC = {
  short: "hf:U",
  long: {
    help: { is: "h", takesValue: false },
    format: { is: "f", takesValue: true },
    output: { is: "output", takesValue: true },
    "backing-chain": { is: "chain", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    "force-share": { is: "U", takesValue: false },
  },
};

/** Runs the subcommand. */
export async function info(program: Program, args: readonly string[]): Promise<number> {
  const { options, operands } = program.getopt(args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  const [filename] = operands;
  for (const { is, value } of options) if (is === "object") addObject(program, value);
  if (filename === undefined || operands.length !== 1) program.usage("Expecting one image file name");
  const output = outputFormat(program, last("output") ?? "human");
  const images = await collect(program, filename, {
    format: last("f"),
    imageOpts: has("image-opts"),
    forceShare: has("U"),
    chain: has("chain"),
  });
  if (output === "human") program.out(images.map(imageInfoText).join("\n"));
  else {
    const values = images.map(toJson);
    program.out(`${prettyJson(has("chain") ? values : values[0]!)}\n`);
  }
  return 0;
}

/** Opens one image after the other, each without its backing file. @throws {Exit} */
async function collect(
  program: Program,
  first: string,
  how: { format: string | undefined; imageOpts: boolean; forceShare: boolean; chain: boolean },
): Promise<ImageInfo[]> {
  const images: ImageInfo[] = [];
  const seen = new Set<string>();
  let name: string | undefined = first;
  let { format, imageOpts } = how;
  while (name !== undefined) {
    if (seen.has(name)) program.fail(`Backing file '${name}' creates an infinite loop.`);
    seen.add(name);
    await using graph = makeGraph(program);
    const node = await openImage(program, graph, name, {
      format,
      imageOpts,
      forceShare: how.forceShare,
      noBacking: true,
      metadataOnly: true,
    });
    const found = await imageInfo(node);
    const backing = found.backingFile === undefined ? undefined : beside(node.filename, found.backingFile);
    images.push({ ...found, fullBackingFile: backing === found.backingFile ? undefined : backing });
    name = how.chain ? backing : undefined;
    format = found.backingFormat;
    imageOpts = false;
  }
  return images;
}

/** The backing file's name as seen from here: relative names count from the image's folder. */
function beside(image: string, name: string): string {
  if (name.startsWith("/") || /^[^/]*:/.test(name)) return name;
  return image.slice(0, image.lastIndexOf("/") + 1) + name;
}

/** QEMU's ImageInfo. */
function toJson(image: ImageInfo): Json {
  const backing = image.backingFile;
  return {
    filename: image.filename,
    format: image.format,
    "virtual-size": image.virtualSizeBytes,
    "actual-size": image.actualSizeBytes,
    "dirty-flag": image.dirty,
    "cluster-size": image.clusterSizeBytes,
    encrypted: image.encrypted ? true : undefined,
    "backing-filename": backing,
    "full-backing-filename": backing === undefined ? undefined : image.fullBackingFile ?? backing,
    "backing-filename-format": image.backingFormat,
    snapshots: image.snapshots.length === 0 ? undefined : image.snapshots.map(snapshotToJson),
    "format-specific": image.specific === undefined
      ? undefined
      : { type: image.format, data: image.specific as { readonly [name: string]: Json } },
  };
}

function snapshotToJson(snapshot: SnapshotInfo): Json {
  return {
    id: snapshot.id,
    name: snapshot.name,
    "vm-state-size": snapshot.vmStateBytes,
    "date-sec": snapshot.dateSeconds,
    "date-nsec": snapshot.dateNanoseconds,
    "vm-clock-sec": Math.floor(snapshot.vmClockNs / NS_PER_S),
    "vm-clock-nsec": snapshot.vmClockNs % NS_PER_S,
    icount: snapshot.icount < 0 ? undefined : snapshot.icount,
  };
}
