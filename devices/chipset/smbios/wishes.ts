/**
 * What the user wants to stand in the SMBIOS tables, by kind of structure, under QEMU's names; what is absent has the
 * board's default.
 *
 * @module
 */

/** Type 0; there is none unless it is wanted. */
export interface SmbiosBios {
  readonly vendor?: string;
  readonly version?: string;
  readonly date?: string;
  readonly release?: { readonly major: number; readonly minor: number };
  readonly uefi?: boolean;
}

/** Type 1. */
export interface SmbiosSystem {
  readonly manufacturer?: string;
  readonly product?: string;
  readonly version?: string;
  readonly serial?: string;
  readonly sku?: string;
  readonly family?: string;
}

/** Type 2; there is none unless it is wanted. */
export interface SmbiosBaseboard {
  readonly manufacturer?: string;
  readonly product?: string;
  readonly version?: string;
  readonly serial?: string;
  readonly asset?: string;
  readonly location?: string;
}

/** Type 3. */
export interface SmbiosChassis {
  readonly manufacturer?: string;
  readonly version?: string;
  readonly serial?: string;
  readonly asset?: string;
  readonly sku?: string;
}

/** Type 4. */
export interface SmbiosProcessor {
  /** What stands before the number of the socket. */
  readonly sock_pfx?: string;
  readonly manufacturer?: string;
  readonly version?: string;
  readonly serial?: string;
  readonly asset?: string;
  readonly part?: string;
  readonly maxSpeedMhz?: number;
  readonly currentSpeedMhz?: number;
  /** EAX of CPUID function 1, and EDX above it; the CPU's own where 0. */
  readonly id?: bigint;
}

/** Type 8, one for each. */
export interface SmbiosPort {
  readonly internal_reference?: string;
  readonly external_reference?: string;
  readonly connectorType: number;
  readonly portType: number;
}

/** Type 17. */
export interface SmbiosMemory {
  /** What stands before the number of the module. */
  readonly loc_pfx?: string;
  readonly bank?: string;
  readonly manufacturer?: string;
  readonly serial?: string;
  readonly asset?: string;
  readonly part?: string;
  /** Million transfers a second. */
  readonly speed?: number;
}

/** Type 41, one for each. */
export interface SmbiosOnboardDevice {
  readonly designation?: string;
  /** Its number in [DSP0134] 7.42.2 "Onboard Device Types". */
  readonly kind: number;
  readonly instance: number;
  /** The id of a PCI device on the root bus. */
  readonly pcidev?: string;
}

/** All of it. */
export interface SmbiosWishes {
  readonly bios?: SmbiosBios;
  readonly system?: SmbiosSystem;
  readonly baseboard?: SmbiosBaseboard;
  readonly chassis?: SmbiosChassis;
  readonly processor?: SmbiosProcessor;
  readonly ports?: readonly SmbiosPort[];
  /** Type 11: the maker's own. */
  readonly strings?: readonly string[];
  readonly memory?: SmbiosMemory;
  readonly onboardDevices?: readonly SmbiosOnboardDevice[];
  /** Whole structures, which stand before all others; the board makes none of their types. */
  readonly structures?: readonly Uint8Array[];
  /** The width of addresses in the entry point, which says the version of the tables too: 2.8 or 3.0. */
  readonly entryPointBits?: 32 | 64;
}
