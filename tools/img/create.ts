/**
 * `moa img create`: a new image, or what one can be made with.
 *
 * @module
 */
import { isHelpOption, OptionError, type OptionPair, parseOptionPairs } from "../../base/keyval.ts";
import { parseSizeText } from "../../base/sizes.ts";
import { BlockError, type BlockGraph, createImage, createOptionsHelp, creationDrivers } from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { makeGraph } from "./images.ts";

const SPEC = {
  short: "F:b:f:ho:qu",
  long: { help: { is: "h", takesValue: false }, object: { is: "object", takesValue: true } },
};

/** Runs the subcommand. */
export async function create(program: Program, args: readonly string[]): Promise<number> {
  const { options, operands } = program.getopt(args, SPEC);
  const last = (letter: string) => options.findLast(({ is }) => is === letter)?.value;
  const has = (letter: string) => options.some(({ is }) => is === letter);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  for (const { is, value } of options) if (is === "object") addObject(program, value);
  const optionTexts = options.filter(({ is }) => is === "o").map(({ value }) => value);
  const bad = optionTexts.find((text) => text === "" || text.startsWith(",") || /(?:^|[^,])(?:,,)*,$/.test(text));
  if (bad !== undefined) program.fail(`Invalid option list: ${bad}`);
  const format = last("f") ?? "raw";
  const [filename, sizeText, ...more] = operands;

  await using graph = makeGraph(program);
  if (optionTexts.some((text) => text.split(/(?<!,),(?!,)/).some(isHelpOption))) {
    return await listOptions(program, graph, format, filename);
  }
  if (filename === undefined) program.usage("Expecting image file name");
  const size = sizeText === undefined ? undefined : imageSize(program, sizeText);
  if (more.length > 0) program.usage(`Unexpected argument: ${more[0]}`);
  const pairs: OptionPair[] = optionTexts.flatMap((text) => [...parseOptionPairs(text).pairs]);
  const backingFile = last("b");
  const backingFormat = last("F");
  try {
    await createImage(graph, {
      filename,
      format,
      options: pairs,
      unsafe: has("u"),
      ...(size === undefined ? {} : { size }),
      ...(backingFile === undefined ? {} : { backingFile }),
      ...(backingFormat === undefined ? {} : { backingFormat }),
      ...(has("q") ? {} : { onFormatting: (line: string) => program.out(`${line}\n`) }),
    });
    return 0;
  } catch (error) {
    if (!(error instanceof BlockError) && !(error instanceof OptionError)) throw error;
    program.report(`${filename}: `, error);
    return 1;
  }
}

/** Prints what a format can be made with; in a place, where one is named. */
export async function listOptions(
  program: Program,
  graph: BlockGraph,
  format: string,
  filename: string | undefined,
): Promise<number> {
  try {
    const { rows } = await creationDrivers(graph, format, filename);
    program.out(filename === undefined ? `Supported ${format} options:\n` : "Supported options:\n");
    program.out(createOptionsHelp(rows));
    if (filename === undefined) {
      program.out(
        "\nThe protocol level may support further options.\nSpecify the target filename to include those options.\n",
      );
    }
    return 0;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.error(error.message);
    return 1;
  }
}

/** The size behind the file's name, in bytes. @throws {Exit} */
function imageSize(program: Program, text: string): number {
  const size = parseSizeText(text);
  if (size.kind === "invalid") {
    program.error("Invalid image size specified. You may use k, M, G, T, P or E suffixes for");
    program.error("kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.");
    throw new Exit(1);
  }
  if (size.kind === "range" || size.bytes >= 1n << 63n) {
    program.fail(`Invalid image size specified. Must be between 0 and ${(1n << 63n) - 1n}.`);
  }
  if (size.hexSuffix) program.error(`warning: Using a multiplier suffix on hex numbers is deprecated: ${text}`);
  if (size.bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    program.fail(`Invalid image size specified. moa's offsets end at ${Number.MAX_SAFE_INTEGER}.`);
  }
  return Number(size.bytes);
}
