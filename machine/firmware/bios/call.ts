/**
 * One call of a guest into the firmware: the registers that it came with, and what they shall be when it returns.
 *
 * The code in the ROM puts them into memory in this order, and takes them back from there: see rom.ts.
 *
 * @module
 */

/** Where in memory a call's registers lie while the host takes or gives them back: in the extended BIOS data area. */
export const FRAME_ADDRESS = 0x9fd00;
/** Two segments, eight registers, the service's number, and what `int` has pushed. */
export const FRAME_BYTES = 44;

const CARRY = 0x0001;
const ZERO = 0x0040;
const INTERRUPTS = 0x0200;
const AT = {
  es: 0,
  ds: 2,
  di: 4,
  si: 8,
  bp: 12,
  bx: 20,
  dx: 24,
  cx: 28,
  ax: 32,
  number: 36,
  ip: 38,
  cs: 40,
  flags: 42,
};

/** The registers of a call. 16-bit names are the low halves of the 32-bit ones. */
export class FirmwareCall {
  readonly bytes: Uint8Array;
  /** What a service that is asked again remembers of it: 0 at first. Snapshots keep it. */
  memo = 0;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Which service is wanted: an interrupt's number, or one of the firmware's own from 100h on. */
  get number(): number {
    return this.#view.getUint16(AT.number, true);
  }

  get ax(): number {
    return this.#view.getUint16(AT.ax, true);
  }
  set ax(value: number) {
    this.#view.setUint16(AT.ax, value, true);
  }
  get al(): number {
    return this.ax & 0xff;
  }
  set al(value: number) {
    this.#view.setUint8(AT.ax, value);
  }
  get ah(): number {
    return this.ax >> 8;
  }
  set ah(value: number) {
    this.#view.setUint8(AT.ax + 1, value);
  }
  get bx(): number {
    return this.#view.getUint16(AT.bx, true);
  }
  set bx(value: number) {
    this.#view.setUint16(AT.bx, value, true);
  }
  get bl(): number {
    return this.bx & 0xff;
  }
  set bl(value: number) {
    this.#view.setUint8(AT.bx, value);
  }
  get bh(): number {
    return this.bx >> 8;
  }
  set bh(value: number) {
    this.#view.setUint8(AT.bx + 1, value);
  }
  get cx(): number {
    return this.#view.getUint16(AT.cx, true);
  }
  set cx(value: number) {
    this.#view.setUint16(AT.cx, value, true);
  }
  get cl(): number {
    return this.cx & 0xff;
  }
  set cl(value: number) {
    this.#view.setUint8(AT.cx, value);
  }
  get ch(): number {
    return this.cx >> 8;
  }
  set ch(value: number) {
    this.#view.setUint8(AT.cx + 1, value);
  }
  get dx(): number {
    return this.#view.getUint16(AT.dx, true);
  }
  set dx(value: number) {
    this.#view.setUint16(AT.dx, value, true);
  }
  get dl(): number {
    return this.dx & 0xff;
  }
  set dl(value: number) {
    this.#view.setUint8(AT.dx, value);
  }
  get dh(): number {
    return this.dx >> 8;
  }
  set dh(value: number) {
    this.#view.setUint8(AT.dx + 1, value);
  }
  get si(): number {
    return this.#view.getUint16(AT.si, true);
  }
  set si(value: number) {
    this.#view.setUint16(AT.si, value, true);
  }
  get di(): number {
    return this.#view.getUint16(AT.di, true);
  }
  set di(value: number) {
    this.#view.setUint16(AT.di, value, true);
  }
  get bp(): number {
    return this.#view.getUint16(AT.bp, true);
  }
  set bp(value: number) {
    this.#view.setUint16(AT.bp, value, true);
  }
  get ds(): number {
    return this.#view.getUint16(AT.ds, true);
  }
  set ds(value: number) {
    this.#view.setUint16(AT.ds, value, true);
  }
  get es(): number {
    return this.#view.getUint16(AT.es, true);
  }
  set es(value: number) {
    this.#view.setUint16(AT.es, value, true);
  }
  get eax(): number {
    return this.#view.getUint32(AT.ax, true);
  }
  set eax(value: number) {
    this.#view.setUint32(AT.ax, value, true);
  }
  get ebx(): number {
    return this.#view.getUint32(AT.bx, true);
  }
  set ebx(value: number) {
    this.#view.setUint32(AT.bx, value, true);
  }
  get ecx(): number {
    return this.#view.getUint32(AT.cx, true);
  }
  set ecx(value: number) {
    this.#view.setUint32(AT.cx, value, true);
  }
  get edx(): number {
    return this.#view.getUint32(AT.dx, true);
  }
  set edx(value: number) {
    this.#view.setUint32(AT.dx, value, true);
  }
  get esi(): number {
    return this.#view.getUint32(AT.si, true);
  }
  set esi(value: number) {
    this.#view.setUint32(AT.si, value, true);
  }
  get edi(): number {
    return this.#view.getUint32(AT.di, true);
  }

  get carry(): boolean {
    return (this.#view.getUint16(AT.flags, true) & CARRY) !== 0;
  }
  set carry(value: boolean) {
    this.#setFlag(CARRY, value);
  }
  set zero(value: boolean) {
    this.#setFlag(ZERO, value);
  }

  /** Where the call returns to, with interrupts on: how a boot sector is started. */
  returnTo(segment: number, offset: number): void {
    this.#view.setUint16(AT.cs, segment, true);
    this.#view.setUint16(AT.ip, offset, true);
    this.#setFlag(INTERRUPTS, true);
  }

  #setFlag(mask: number, value: boolean): void {
    const flags = this.#view.getUint16(AT.flags, true);
    this.#view.setUint16(AT.flags, value ? flags | mask : flags & ~mask, true);
  }
}

/** The address that a segment and an offset make. */
export function linear(segment: number, offset: number): number {
  return segment * 16 + offset;
}
