/**
 * The text files of recorded dialogues: how they are read, written, and what in them is made equal before comparing.
 *
 * One file is one machine, or one list of command lines:
 *
 * ```text
 * # what this shows
 * $ qemu-img create -q -f qcow2 a.qcow2 1M      set-up, run in a fresh folder; further on: between two commands
 * argv: -nodefaults -hda a.qcow2                how the machine is started
 * 2> warning: ...                               what it wrote to stderr (2>) or stdout (1>) before the first prompt
 * (qemu) info block                             one command
 * ide0-hd0 (#blockNNN): a.qcow2 (qcow2)         its answer; 1> and 2> mark what went to the program's own outputs
 * ```
 *
 * @module
 */

/** One step of a dialogue. */
export type Step =
  | { readonly kind: "shell"; readonly command: string }
  | { readonly kind: "argv"; readonly argv: string; answer: string }
  | { readonly kind: "monitor"; readonly line: string; answer: string };

/** A file, parsed. */
export interface Dialogue {
  /** The comment lines at its top. */
  readonly comments: readonly string[];
  readonly steps: readonly Step[];
}

/** Stands at the end of an answer that ends without a newline. */
const NO_NEWLINE = "\\ no newline";

/** Parses a file; lines before the first step that start with `#` are comments. */
export function parseDialogue(text: string): Dialogue {
  const comments: string[] = [];
  const steps: Step[] = [];
  for (const line of text.split("\n")) {
    const last = steps.at(-1);
    if (steps.length === 0 && line.startsWith("#")) comments.push(line);
    else if (line.startsWith("$ ")) steps.push({ kind: "shell", command: line.slice(2) });
    else if (line.startsWith("argv:")) steps.push({ kind: "argv", argv: line.slice(5).trim(), answer: "" });
    else if (line.startsWith("(qemu) ")) steps.push({ kind: "monitor", line: line.slice(7), answer: "" });
    else if (line === "(qemu)") steps.push({ kind: "monitor", line: "", answer: "" });
    else if (last !== undefined && last.kind !== "shell") last.answer += `${line}\n`;
  }
  for (const step of steps) {
    if (step.kind === "shell") continue;
    // The newline that ends the file, or the empty line that people leave between steps of a definition.
    step.answer = step.answer.replace(new RegExp(`\\n${escape(NO_NEWLINE)}\\n$`), "");
  }
  const end = steps.at(-1);
  if (end !== undefined && end.kind !== "shell" && end.answer.endsWith("\n")) end.answer = end.answer.slice(0, -1);
  return { comments, steps };
}

/** Prints a dialogue as {@link parseDialogue} reads it. */
export function printDialogue(dialogue: Dialogue): string {
  const lines = dialogue.comments.map((comment) => `${comment}\n`);
  for (const step of dialogue.steps) {
    if (step.kind === "shell") lines.push(`$ ${step.command}\n`);
    else {
      lines.push(step.kind === "argv" ? `argv: ${step.argv}\n` : `(qemu) ${step.line}`.trimEnd() + "\n");
      const open = step.answer !== "" && !step.answer.endsWith("\n");
      lines.push(open ? `${step.answer}\n${NO_NEWLINE}\n` : step.answer);
    }
  }
  return lines.join("");
}

/** Marks each line of what a program wrote to one of its own outputs; escape codes become readable. */
export function mark(prefix: "1> " | "2> ", text: string): string {
  if (text === "") return "";
  const shown = text.replaceAll("\x1b", "\\e").replaceAll("\r\n", "\n").replaceAll("\r", "\\r");
  return shown.replace(/\n$/, "").split("\n").map((line) => `${prefix}${line}\n`).join("");
}

/** An answer as one text, with the marks taken off. */
export function unmark(answer: string): string {
  return answer.replaceAll(/^[12]> /gm, "");
}

/** Replaces what differs from run to run and from program to program, but for the state it shows. */
export function normalise(text: string, folder: string): string {
  return sortTrees(text)
    .replaceAll(folder, "$TMP")
    .replaceAll(/#block\d{3,}/g, "#blockNNN")
    .replaceAll(/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b/g, "YYYY-MM-DD hh:mm:ss")
    // VM state is a program's own, and so are its size and its clock; the columns stay where they are.
    .replaceAll(
      /( *(?:[\d.]+ [KMGT]iB|\b0 B)) (YYYY-MM-DD hh:mm:ss)( +)\d\d:\d\d:\d\d\.\d{3}/g,
      (_, size: string, date: string, gap: string) => `${"SIZE".padStart(size.length)} ${date}${gap}hh:mm:ss.mmm`,
    )
    .replaceAll(/\b(\w+_time_ns)=[1-9]\d*/g, "$1=NS")
    // What a file takes is the file system's affair.
    .replaceAll(/^((?:[12]> )?disk size: )\d.*/gm, "$1SIZE")
    .replaceAll(/\b(\d+,\d+),\d+:\d\d:\d\d\.\d\d,[\d.]+,[\d.]+/g, "$1,TIME,RATE,RATE")
    .replaceAll(/\d\d\.\d\d sec \([^)]*\)/g, "SS.SS sec (RATE)")
    // The package that a program came in.
    .replaceAll(/7\.2\.\d+(?: ?\((?:Debian|moa)[^)]*\)|(?:Debian|moa) \S+)?/g, "7.2.N")
    // A library's complaint about its own event loop.
    .replaceAll(/^(?:2> )?GLib: .*\n/gm, "");
}

/** QEMU lists address spaces in the order of a hash table of pointers, another one in each run: `info mtree`. */
function sortTrees(text: string): string {
  if (!/^(?:address-space|memory-region|FlatView)\b/m.test(text)) return text;
  const end = /\n*$/.exec(text)![0];
  const blocks = text.slice(0, text.length - end.length).split("\n\n").map((block) => {
    const lines = block.replace(/^FlatView #\d+$/m, "FlatView #N").split("\n");
    const isName = (line: string) => /^(?:address-space:| AS ")/.test(line);
    const first = lines.findIndex(isName);
    const names = lines.filter(isName).sort();
    const others = lines.filter((line) => !isName(line));
    return first < 0 ? block : [...others.slice(0, first), ...names, ...others.slice(first)].join("\n");
  });
  return blocks.sort().join("\n\n") + end;
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
