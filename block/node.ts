// placeholder of the contract, replaced by the block core
import type { IoVector } from "../base/io_vector.ts";
import type { BlockDriver, Extent, TruncateOptions, ZeroOptions } from "./driver.ts";
export interface BlockNode {
  readonly name: string;
  readonly driver: BlockDriver;
  readonly size: number;
  readonly readOnly: boolean;
  read(at: number, into: IoVector): Promise<void>;
  write(at: number, from: IoVector, how?: { readonly fua?: boolean }): Promise<void>;
  writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void>;
  discard(at: number, length: number): Promise<void>;
  flush(): Promise<void>;
  status(at: number, length: number): Promise<Extent>;
  truncate(size: number, how?: TruncateOptions): Promise<void>;
}
