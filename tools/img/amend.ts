/**
 * `moa img amend`: changes options that an image was made with.
 *
 * Done here: `size`, `lazy_refcounts`, `compat`, `refcount_bits`, `data_file`, `data_file_raw` (qcow2), key slots (LUKS,
 * alone and inside qcow2). Options that an image has already are no change; `backing_file` and `backing_fmt` are refused
 * as qemu-img refuses them.
 *
 * @module
 */
import { isHelpOption, OptionError, parseOptionPairs } from "../../base/keyval.ts";
import {
  type AmendChange,
  BlockError,
  builtinDrivers,
  createOptionsHelp,
  type CreateValues,
  parseCreateOptions,
  parseKeySlotChange,
} from "../../block/mod.ts";
import type { BlockNode, CreateOption } from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { cacheMode, makeGraph, openImage } from "./images.ts";
import { optionTexts } from "./option_texts.ts";
import { Progress, progressWish } from "./progress.ts";

const SPEC = {
  short: "ho:f:t:pq",
  long: {
    help: { is: "h", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    force: { is: "force", takesValue: false },
  },
};

/** Runs the subcommand. */
export async function amend(program: Program, args: readonly string[]): Promise<number> {
  const wish = progressWish(program, args);
  const { options, operands } = program.getopt(wish.args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  for (const { is, value } of options) if (is === "object") addObject(program, value);
  const texts = optionTexts(program, options);
  if (texts.length === 0) program.usage("Must specify options (-o)");
  const [filename] = operands;
  const format = last("f");
  const helpWanted = texts.some((text) => text.split(/(?<!,),(?!,)/).some(isHelpOption));
  if (helpWanted && format !== undefined) return await listOptions(program, format);
  if (filename === undefined || operands.length !== 1) program.fail("Expecting one image file name");
  const cache = cacheMode(last("t") ?? "writeback");
  if (cache === undefined) program.fail(`Invalid cache option: ${last("t")}`);

  await using graph = makeGraph(program);
  const node = await openImage(program, graph, filename, {
    format,
    imageOpts: has("image-opts"),
    writable: true,
    cache,
  });
  if (helpWanted) return await listOptions(program, node.driver.name);
  const { name } = node.driver;
  if ((await builtinDrivers.load(name))?.amendOptions === undefined) {
    program.fail(`Format driver '${name}' does not support option amendment`);
  }
  try {
    const values = await readValues(program, name, texts);
    using progress = new Progress(program, has("p") && !has("q"), 1, { operation: "amend", form: wish.form });
    progress.set(0);
    await change(node, values, has("force"));
    progress.set(100);
    return 0;
  } catch (error) {
    if (!(error instanceof BlockError) && !(error instanceof OptionError)) throw error;
    program.report("", error);
    return 1;
  }
}

/** Whatever of an image changes after it was made; `undefined` where the format changes nothing. */
async function amendRows(format: string): Promise<readonly CreateOption[] | undefined> {
  return (await builtinDrivers.load(format))?.amendOptions;
}

async function listOptions(program: Program, format: string): Promise<number> {
  if (builtinDrivers.load(format) === undefined) program.fail(`Unknown file format '${format}'`);
  const rows = await amendRows(format);
  if (rows === undefined) program.fail(`Format driver '${format}' does not support option amendment`);
  program.out(`Amend options for '${format}':\n${createOptionsHelp(rows)}`);
  return 0;
}

/** @throws {Exit}, {BlockError}, {OptionError} */
async function readValues(program: Program, format: string, texts: readonly string[]): Promise<CreateValues> {
  const pairs = texts.flatMap((text) => [...parseOptionPairs(text).pairs]);
  const rows = await amendRows(format) ?? [];
  const creation = (await builtinDrivers.load(format))?.createOptions ?? [];
  for (const { name } of pairs) {
    if (rows.some((row) => row.name === name)) continue;
    program.error(`Invalid parameter '${name}'`);
    if (creation.some((row) => row.name === name)) program.line("This option is only supported for image creation");
    throw new Exit(1);
  }
  return parseCreateOptions(rows, pairs);
}

/** `encrypt.state` and its like; `encrypt` is what the image says of its encryption. */
async function changeKeySlots(node: BlockNode, values: CreateValues, encrypt: unknown, force: boolean): Promise<void> {
  const prefix = "encrypt.";
  const given = Object.entries(values).filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => [name.slice(prefix.length), value] as const);
  if (given.length === 0) return;
  const isLuks = (encrypt as { readonly format?: unknown } | undefined)?.format === "luks";
  // Without key slots, the driver says what stands against it.
  const keySlots = isLuks ? parseKeySlotChange(Object.fromEntries(given), force) : { state: "inactive" } as const;
  await node.driver.amend!({ keySlots });
}

/** Makes the change. What cannot be done is refused before anything is written. */
async function change(node: BlockNode, values: CreateValues, force: boolean): Promise<void> {
  if (node.driver.name === "luks") return await node.driver.amend!({ keySlots: parseKeySlotChange(values, force) });
  const info = await node.driver.info?.();
  const now = info?.specific ?? {};
  await changeKeySlots(node, values, now["encrypt"], force);
  if (values["backing_file"] !== undefined || values["backing_fmt"] !== undefined) {
    const { backing_file: file = info?.backingFile, backing_fmt: format = info?.backingFormat } = values;
    if (file !== info?.backingFile || format !== info?.backingFormat) {
      throw new BlockError(
        { kind: "state", text: "Cannot amend the backing file" },
        { help: "You can use 'qemu-img rebase' instead." },
      );
    }
  }
  const external = now["data-file"] !== undefined || now["data-file-raw"] !== undefined;
  const dataFile = values["data_file"] as string | undefined;
  if (dataFile !== undefined && !external) {
    throw refusal("data-file can only be set for images that use an external data file");
  }
  if (values["data_file_raw"] === true && now["data-file-raw"] !== true) {
    throw refusal("data-file-raw cannot be set on existing images");
  }
  const bits = Number(values["refcount_bits"] ?? now["refcount-bits"]);
  if (![1, 2, 4, 8, 16, 32, 64].includes(bits)) {
    throw refusal("Refcount width must be a power of two and may not exceed 64 bits");
  }
  const version = versionOf(values["compat"], now["compat"]);
  if (version === 2 && values["lazy_refcounts"] === true) {
    throw refusal(
      "Lazy refcounts only supported with compatibility level 1.1 and above (use compat=1.1 or greater)",
    );
  }
  if (bits !== now["refcount-bits"] && version === 2 && bits !== 16) {
    throw refusal(
      "Refcount widths other than 16 bits require compatibility level 1.1 or above (use compat=1.1 or greater)",
    );
  }
  const lazy = values["lazy_refcounts"] as boolean | undefined;
  const asked: AmendChange = {
    ...(version === (now["compat"] === "0.10" ? 2 : 3) ? {} : { version }),
    ...(lazy === undefined || lazy === (now["lazy-refcounts"] ?? false) ? {} : { lazyRefcounts: lazy }),
    ...(bits === now["refcount-bits"] ? {} : { refcountBits: bits }),
    ...(dataFile === undefined ? {} : { dataFile }),
    ...(values["data_file_raw"] === false && now["data-file-raw"] === true ? { dataFileRaw: false as const } : {}),
  };
  if (Object.keys(asked).length > 0) await node.driver.amend!(asked);
  if (values["size"] !== undefined && Number(values["size"]) > 0) {
    await node.truncate(Number(values["size"]), { exact: true });
    await node.flush();
  }
}

function versionOf(wanted: unknown, now: unknown): 2 | 3 {
  switch (wanted ?? now) {
    case "0.10":
    case "v2":
      return 2;
    case "1.1":
    case "v3":
      return 3;
    default:
      throw refusal(`Unknown compatibility level ${wanted}`);
  }
}

function refusal(text: string): BlockError {
  return new BlockError({ kind: "option", text });
}
