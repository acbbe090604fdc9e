/**
 * QEMU's firmware configuration device on ports: items under 16-bit keys, read byte by byte or by DMA.
 *
 * Left out: writable items; a DMA write ends in an error, as it does in QEMU for items that are not writable.
 *
 * Source: QEMU's docs/specs/fw_cfg.txt, "Selector (Control) Register" to "Guest-side DMA Interface".
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  MemoryRegion,
  prop,
  type PropertyValues,
  SystemBusDevice,
} from "../bus/mod.ts";

const PROPERTIES = {
  "dma_enabled": prop.bool(true),
  "x-file-slots": prop.uint16(0x20),
  "acpi-mr-restore": prop.bool(true),
};

/** Keys of items that are no files. */
export const FwCfgKey = {
  Signature: 0x00,
  Id: 0x01,
  Uuid: 0x02,
  RamSize: 0x03,
  NoGraphic: 0x04,
  CpuCount: 0x05,
  MachineId: 0x06,
  BootDevice: 0x0c,
  BootMenu: 0x0e,
  MaxCpus: 0x0f,
  FileDirectory: 0x19,
  FirstFile: 0x20,
  /** Those of x86 boards. */
  AcpiTables: 0x8000,
  Smbios: 0x8001,
  Irq0Override: 0x8002,
  E820: 0x8003,
  Hpet: 0x8004,
} as const;

const SELECTOR_PORT = 0x510;
const DMA_PORT = 0x514;
const KEY_MASK = 0xbfff; // bit 14 once meant "write"
const NAME_BYTES = 56;
const DIRECTORY_ENTRY_BYTES = 64;

const DMA_ERROR = 0x01;
const DMA_READ = 0x02;
const DMA_SKIP = 0x04;
const DMA_SELECT = 0x08;
const DMA_WRITE = 0x10;

export interface FwCfgState {
  key: number;
  offset: number;
  dmaHigh: number;
}

/** The device. The board fills it before the guest runs. */
export class FwCfg extends SystemBusDevice<typeof PROPERTIES, FwCfgState> {
  readonly #items = new Map<number, () => Uint8Array>();
  readonly #files: { readonly name: string; readonly content: () => Uint8Array }[] = [];
  /** What makes the content of files that a reset renews. */
  readonly #renewed = new Map<string, () => Uint8Array>();
  readonly #regions: MemoryRegion[] = [];
  #state: FwCfgState = { key: 0, offset: 0, dmaHigh: 0 };
  /** What the selected item holds, from the first byte that is read on. */
  #selected: Uint8Array | undefined;

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(fwCfgIo, context, values, options);
    this.set(FwCfgKey.Signature, new TextEncoder().encode("QEMU"));
    this.setNumber(FwCfgKey.Id, this.properties.dma_enabled ? 3 : 1, 4);
  }

  /** Sets item `key`; a function is asked whenever the guest selects it. */
  set(key: number, content: Uint8Array | (() => Uint8Array)): void {
    this.#items.set(key, typeof content === "function" ? content : () => content);
  }

  /** Sets an item to a little-endian number of 2, 4 or 8 bytes. */
  setNumber(key: number, value: number, bytes: 2 | 4 | 8): void {
    const content = new Uint8Array(bytes);
    for (let i = 0, rest = value; i < bytes; i++, rest = Math.floor(rest / 256)) content[i] = rest % 256;
    this.set(key, content);
  }

  /** Adds or replaces a file, `"etc/boot-menu-wait"`; 55 characters at most. */
  setFile(name: string, content: Uint8Array | (() => Uint8Array)): void {
    const file = {
      name: name.slice(0, NAME_BYTES - 1),
      content: typeof content === "function" ? content : () => content,
    };
    const index = this.#files.findIndex((other) => other.name === file.name);
    if (index >= 0) this.#files[index] = file;
    else if (this.#files.length < this.properties["x-file-slots"]) this.#files.push(file);
    this.#files.sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Adds or replaces a file whose content is made now, and anew at each reset. */
  setRenewedFile(name: string, make: () => Uint8Array): void {
    this.#renewed.set(name, make);
    this.setFile(name, make());
  }

  /** Whether there is a file of this name. */
  hasFile(name: string): boolean {
    return this.#files.some((file) => file.name === name);
  }

  /** What a file holds now; `undefined` where there is none of this name. */
  file(name: string): Uint8Array | undefined {
    return this.#files.find((file) => file.name === name)?.content();
  }

  /** What the guest reads under `key`. */
  item(key: number): Uint8Array {
    if (key === FwCfgKey.FileDirectory) return this.#directory();
    return this.#files[key - FwCfgKey.FirstFile]?.content() ?? this.#items.get(key)?.() ?? new Uint8Array(0);
  }

  protected override onRealize(): void {
    const ports = this.context.ports.root;
    const selector = MemoryRegion.io("fwcfg", 2, {
      read: () => this.#nextByte(),
      write: (offset, size, value) => {
        if (offset === 0 && size === 2) this.#select(value);
      },
      accessSizes: { min: 1, max: 2 },
    });
    const dma = MemoryRegion.io("fwcfg.dma", 8, {
      read: (offset, size) => dmaSignature(offset, size),
      write: (offset, size, value) => this.#writeDma(offset, size, value),
      endian: "big",
    });
    ports.add(selector, SELECTOR_PORT);
    this.#regions.push(selector);
    if (!this.properties.dma_enabled) return;
    ports.add(dma, DMA_PORT);
    this.#regions.push(dma);
  }

  protected override onUnrealize(): void {
    for (const region of this.#regions.splice(0)) region.container?.remove(region);
  }

  protected override onReset(): void {
    this.#state = { key: 0, offset: 0, dmaHigh: 0 };
    this.#selected = undefined;
    for (const [name, make] of this.#renewed) this.setFile(name, make());
  }

  protected override saveState(): FwCfgState {
    return { ...this.#state };
  }

  protected override loadState(state: FwCfgState): void {
    this.#state = { ...state };
    this.#selected = undefined;
  }

  #select(key: number): void {
    this.#state.key = key & KEY_MASK;
    this.#state.offset = 0;
    this.#selected = undefined;
  }

  get #content(): Uint8Array {
    return this.#selected ??= this.item(this.#state.key);
  }

  #nextByte(): number {
    const byte = this.#content[this.#state.offset];
    if (byte === undefined) return 0;
    this.#state.offset++;
    return byte;
  }

  #directory(): Uint8Array {
    const bytes = new Uint8Array(4 + this.#files.length * DIRECTORY_ENTRY_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#files.length);
    for (const [index, file] of this.#files.entries()) {
      const at = 4 + index * DIRECTORY_ENTRY_BYTES;
      view.setUint32(at, file.content().length);
      view.setUint16(at + 4, FwCfgKey.FirstFile + index);
      bytes.set(new TextEncoder().encode(file.name).subarray(0, NAME_BYTES - 1), at + 8);
    }
    return bytes;
  }

  #writeDma(offset: number, size: number, value: number): void {
    if (size !== 4) return;
    if (offset === 0) this.#state.dmaHigh = value;
    else if (offset === 4) {
      const address = this.#state.dmaHigh * 0x1_0000_0000 + value;
      this.#state.dmaHigh = 0;
      if (Number.isSafeInteger(address)) this.#runDma(address);
    }
  }

  /** Carries out the request that lies at `at`: control, length, address, all big-endian. */
  #runDma(at: number): void {
    const { ram } = this.context;
    const request = new DataView(new ArrayBuffer(16));
    ram.read(at, new Uint8Array(request.buffer));
    const control = request.getUint32(0);
    const length = request.getUint32(4);
    const address = request.getUint32(8) * 0x1_0000_0000 + request.getUint32(12);
    if ((control & DMA_SELECT) !== 0) this.#select(control >>> 16);
    let result = 0;
    if ((control & DMA_READ) !== 0) result = this.#dmaRead(address, length);
    else if ((control & DMA_WRITE) !== 0) result = DMA_ERROR;
    else if ((control & DMA_SKIP) !== 0) {
      this.#state.offset = Math.min(this.#state.offset + length, this.#content.length);
    }
    const answer = new DataView(new ArrayBuffer(4));
    answer.setUint32(0, result);
    ram.write(at, new Uint8Array(answer.buffer));
  }

  /** Copies what is left of the item, then zeroes; pieces keep a huge length from taking host memory. */
  #dmaRead(address: number, length: number): number {
    if (!Number.isSafeInteger(address + length)) return DMA_ERROR;
    const state = this.#state;
    const { ram } = this.context;
    const rest = this.#content.subarray(state.offset, state.offset + length);
    ram.write(address, rest);
    const zeroes = new Uint8Array(Math.min(64 * 1024, length - rest.length));
    const end = Math.min(address + length, ram.sizeBytes);
    for (let at = address + rest.length; at < end; at += zeroes.length) {
      ram.write(at, zeroes.subarray(0, Math.min(zeroes.length, end - at)));
    }
    state.offset += rest.length;
    return 0;
  }
}

/** The DMA register reads as "QEMU CFG", which tells guests that it is there. */
function dmaSignature(offset: number, size: number): number {
  const text = "QEMU CFG";
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + text.charCodeAt(offset + i);
  return value;
}

/** `fw_cfg_io`. */
export const fwCfgIo = {
  name: "fw_cfg_io",
  busType: "System",
  category: "Uncategorized",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new FwCfg(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
