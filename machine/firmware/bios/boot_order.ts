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
import { EXTENDED_AREA, type FirmwareDisk, type FirmwareSite } from "./site.ts";

type Kind = FirmwareDisk["kind"];
/** Kinds by the letters of the boot order, as the clock chip keeps them; `n` has nothing here. */
const KINDS: Readonly<Record<string, Kind>> = { a: "floppy", b: "floppy", c: "disk", d: "cd" };
const ALL_KINDS: readonly Kind[] = ["floppy", "disk", "cd"];
const FIRST_NUMBERS: Readonly<Record<Kind, number>> = { floppy: 0x00, disk: 0x80, cd: 0xe0 };

/** What can be started: a kernel, or a drive by its number of int 13h. */
export type BootPlace =
  | { readonly kind: "kernel" }
  | { readonly kind: Kind; readonly disk: FirmwareDisk; readonly number: number };

/** The order, worked out anew at each call from what there is then. */
export class BootOrder {
  readonly #site: FirmwareSite;

  constructor(site: FirmwareSite) {
    this.#site = site;
  }

  /** Drives in the order of their numbers, kind by kind. */
  disks(): FirmwareDisk[] {
    return this.places().flatMap((place) => place.kind === "kernel" ? [] : [place.disk]);
  }

  /** Everything that can be started, each drive by itself: what the menu shows. */
  places(): BootPlace[] {
    const { places, picked } = this.#ordered();
    const counts = { floppy: 0, disk: 0, cd: 0 };
    return (picked === undefined ? places : [picked, ...places.filter((place) => place !== picked)]).map((place) =>
      place === "kernel"
        ? { kind: "kernel" }
        : { kind: place.kind, disk: place, number: FIRST_NUMBERS[place.kind] + counts[place.kind]++ }
    );
  }

  /** What is tried, in this order: of floppies and of disks the first one. */
  attempts(): BootPlace[] {
    const { picked, isListed } = this.#ordered();
    const places = this.places();
    const isStrict = this.#site.strictBoot && places.some((place) => isListed(place));
    return places.filter((place, index) =>
      (!isStrict || isListed(place) || (picked !== undefined && index === 0)) &&
      (place.kind === "kernel" || place.kind === "cd" ||
        places.findIndex(({ kind }) => kind === place.kind) === index)
    );
  }

  /** The one at `index` of {@link places} goes first from now on. */
  pick(index: number): void {
    const place = this.places()[index];
    if (place === undefined) return;
    const at = this.#ordered().places.findIndex((one) =>
      one === "kernel" ? place.kind === "kernel" : place.kind !== "kernel" && one.backend === place.disk.backend
    );
    this.#site.memory.writeValue(EXTENDED_AREA.pickedPlace, 1, at + 1);
  }

  #ordered() {
    const { kernel, memory } = this.#site;
    const disks = this.#site.disks();
    const letters = [...this.#site.bootOrder()].flatMap((letter) => KINDS[letter] ?? []);
    const kinds = [...new Set([...letters, ...ALL_KINDS])];
    const places = [
      ...kernel === undefined ? [] : ["kernel" as const],
      ...disks.filter(({ bootIndex }) => bootIndex !== undefined),
      ...kinds.flatMap((kind) => disks.filter((disk) => disk.kind === kind && disk.bootIndex === undefined)),
    ];
    const picked = places[memory.readValue(EXTENDED_AREA.pickedPlace, 1) - 1];
    const isListed = (place: BootPlace) => place.kind === "kernel" || place.disk.bootIndex !== undefined;
    return { places, picked, isListed };
  }
}
