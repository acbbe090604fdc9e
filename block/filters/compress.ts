/**
 * `compress`: everything that is written is written compressed.
 *
 * Requests are made of whole clusters, so that a smaller write reads the rest of its cluster first. What the format
 * itself refuses (a cluster that lies there uncompressed) fails as it does below.
 *
 * Source: qapi/block-core.json, `compress`; docs/tools/qemu-img, convert -c.
 *
 * @module
 */
import type { IoVector } from "../../base/io_vector.ts";
import type { DriverDefinition, RequestLimits } from "../driver.ts";
import { BlockError } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import type { BlockdevOptionsOneFile } from "../options/blockdev.ts";
import { Filter } from "./filter.ts";

class CompressDriver extends Filter {
  readonly #clusterBytes: number;

  constructor(below: BlockNode, clusterBytes: number) {
    super("compress", below);
    this.#clusterBytes = clusterBytes;
  }

  override get limits(): RequestLimits {
    return { ...super.limits, alignBytes: this.#clusterBytes };
  }

  override write(at: number, from: IoVector): Promise<void> {
    const inside = Math.min(from.length, this.size - at);
    return this.filtered.writeCompressed(at, inside === from.length ? from : from.slice(0, inside));
  }

  writeCompressed(at: number, from: IoVector): Promise<void> {
    return this.write(at, from);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    if (!this.filtered.readOnly) await this.filtered.driver.endCompressed?.();
  }
}

/** The `compress` filter. */
export const compress: DriverDefinition<BlockdevOptionsOneFile> = {
  name: "compress",
  kind: "filter",
  overFile: true,
  async open(options, context) {
    const below = await context.openChild("file", options.file);
    const { driver } = below;
    if (driver.writeCompressed === undefined) {
      const text = `Compression is not supported for underlying format: ${driver.name}`;
      throw new BlockError({ kind: "unsupported", feature: "compress", text });
    }
    const { clusterSizeBytes = 1 } = await driver.info?.() ?? {};
    return new CompressDriver(below, clusterSizeBytes);
  },
};
