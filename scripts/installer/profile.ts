/**
 * What an installer is to this script: how to know its medium, how to start it, what to wait for and what to answer.
 *
 * A profile is a file in `scripts/profiles/`; `--profile FILE` names another one.
 *
 * @module
 */
import type { IsoReader, MediaFiles } from "../../mod.ts";

/** One thing that the installer says, in the order in which it says them. */
export interface Step {
  /** What it is, for the progress line. */
  readonly says: string;
  readonly waitFor: RegExp;
  /** What is typed then, or how it follows from what was said: menus have numbers. */
  readonly answer?: string | ((said: string) => string);
  /** It may not come: the step after it may come first. */
  readonly optional?: true;
  /** Minutes that it may take; 30 where it does not say. */
  readonly minutes?: number;
}

/** What a medium is. */
export type Recognized =
  | { readonly kind: "other" }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "installable"; readonly version: string };

/** An installer. */
export interface InstallerProfile {
  readonly name: string;
  /** MiB of RAM that it wants. */
  readonly memoryMiB: number;
  /** Looks at a medium. */
  recognize(medium: IsoReader): Promise<Recognized>;
  /** Where kernel and initial RAM disk are on it. */
  readonly kernel: string;
  readonly initrd: string;
  /** The kernel's command line; the answers are on the floppy, or in the initial RAM disk. */
  readonly append: string;
  /** The answers where the user gives none. */
  readonly answers: string;
  /** What the floppy holds. */
  floppy(answers: string): MediaFiles;
  /** What is added to the initial RAM disk, as a second archive behind it. */
  initrdFiles?(answers: string): MediaFiles;
  readonly dialogue: readonly Step[];
  /** What it says when it cannot go on: nothing is waited for any more. Upper and lower case are the same. */
  readonly failure?: RegExp;
  /** Lines that tell how far it is, as two numbers (done, all) or one (per cent). */
  readonly progress: RegExp;
  /** What the installed system says when it is up; absent where the dialogue ends before there is one. */
  readonly installed?: RegExp;
}
