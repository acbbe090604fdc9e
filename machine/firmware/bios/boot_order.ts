/**
 * The order in which drives are numbered and tried: a kernel first, then drives with a `bootindex`, then the others by
 * the letters of `-boot order=`, whose kinds that are not named come last. What the user picks in the menu precedes all.
 *
 * The pick is kept in the extended BIOS data area, so that it lasts as long as the numbers of int 13h must.
 *
 * Source: SeaBIOS's documentation, "Boot ordering" (the file `bootorder`, `HALT`); behaviour of SeaBIOS 1.16.
 *
 * @module
 */
import type { BootRom } from "./option_roms.ts";
import { EXTENDED_AREA, type FirmwareDisk, type FirmwareSite } from "./site.ts";

type Kind = FirmwareDisk["kind"];
/** Kinds by the letters of the boot order, as the clock chip keeps them; `n`, the network, is option ROMs' affair. */
const KINDS: Readonly<Record<string, Kind | "rom">> = { a: "floppy", b: "floppy", c: "disk", d: "cd", n: "rom" };
const ALL_KINDS: readonly (Kind | "rom")[] = ["floppy", "disk", "cd", "rom"];
const FIRST_NUMBERS: Readonly<Record<Kind, number>> = { floppy: 0x00, disk: 0x80, cd: 0xe0 };

/** What can be started: a kernel, an option ROM, or a drive by its number of int 13h. */
export type BootPlace =
  | { readonly kind: "kernel" }
  | { readonly kind: "rom"; readonly rom: BootRom }
  | { readonly kind: Kind; readonly disk: FirmwareDisk; readonly number: number };

/** How they are called. */
export const PLACE_NAMES: Readonly<Record<BootPlace["kind"], string>> = {
  kernel: "the kernel",
  rom: "option ROM",
  floppy: "Floppy",
  disk: "Hard Disk",
  cd: "DVD/CD",
};

/** The order, worked out anew at each call from what there is then. */
export class BootOrder {
  readonly #site: FirmwareSite;
  /** Those that offer to boot. */
  roms: () => readonly BootRom[] = () => [];

  constructor(site: FirmwareSite) {
    this.#site = site;
  }

  /** Drives in the order of their numbers, kind by kind. */
  disks(): FirmwareDisk[] {
    return this.places().flatMap((place) => "disk" in place ? [place.disk] : []);
  }

  /** Everything that can be started, each drive by itself: what the menu shows. */
  places(): BootPlace[] {
    const places = this.#unpicked();
    const picked = this.#picked(places);
    const counts = { floppy: 0, disk: 0, cd: 0 };
    return (picked === undefined ? places : [picked, ...places.filter((place) => place !== picked)]).map((place) =>
      "disk" in place ? { ...place, number: FIRST_NUMBERS[place.kind] + counts[place.kind]++ } : place
    );
  }

  /** What is tried, in this order: of floppies and of disks the first one. */
  attempts(): BootPlace[] {
    const places = this.places();
    const isListed = (place: BootPlace) =>
      place.kind === "kernel" || ("disk" in place && place.disk.bootIndex !== undefined);
    const isStrict = this.#site.strictBoot && places.some(isListed);
    const isPicked = this.#picked(this.#unpicked()) !== undefined;
    return places.filter((place, index) =>
      (!isStrict || isListed(place) || (isPicked && index === 0)) &&
      ((place.kind !== "floppy" && place.kind !== "disk") ||
        places.findIndex(({ kind }) => kind === place.kind) === index)
    );
  }

  /** The one at `index` of {@link places} goes first from now on. */
  pick(index: number): void {
    const wanted = this.places()[index];
    if (wanted === undefined) return;
    const at = this.#unpicked().findIndex((place) => identity(place) === identity(wanted));
    this.#site.memory.writeValue(EXTENDED_AREA.pickedPlace, 1, at + 1);
  }

  #picked(places: readonly BootPlace[]): BootPlace | undefined {
    return places[this.#site.memory.readValue(EXTENDED_AREA.pickedPlace, 1) - 1];
  }

  #unpicked(): BootPlace[] {
    const { kernel } = this.#site;
    const disks = this.#site.disks().map((disk) => ({ kind: disk.kind, disk, number: 0 }));
    const roms = this.roms().map((rom) => ({ kind: "rom" as const, rom }));
    const letters = [...this.#site.bootOrder()].flatMap((letter) => KINDS[letter] ?? []);
    const kinds = [...new Set([...letters, ...ALL_KINDS])];
    return [
      ...kernel === undefined ? [] : [{ kind: "kernel" as const }],
      ...disks.filter(({ disk }) => disk.bootIndex !== undefined),
      ...kinds.flatMap((kind): BootPlace[] =>
        kind === "rom" ? roms : disks.filter((place) => place.kind === kind && place.disk.bootIndex === undefined)
      ),
    ];
  }
}

/** What stays the same of a place that is worked out anew. */
function identity(place: BootPlace): unknown {
  return "disk" in place ? place.disk.backend : place.kind === "rom" ? place.rom.segment : place.kind;
}
