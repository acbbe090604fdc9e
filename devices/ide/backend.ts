/**
 * What a drive needs of a block backend: the public part of `BlockBackend` that it uses, so that tests can play one.
 *
 * @module
 */
import { BackendStatistics, type BlockBackend, ioError } from "../../block/mod.ts";

/** A drive's medium and policies. */
export type DriveBackend = Pick<
  BlockBackend,
  | "name"
  | "node"
  | "sizeBytes"
  | "isInserted"
  | "readOnly"
  | "writeCacheEnabled"
  | "read"
  | "write"
  | "discard"
  | "flush"
  | "reportError"
  | "stats"
  | "trayMoved"
>;

/** The backend of a CD drive that was given none: never a medium. */
export class EmptyBackend implements DriveBackend {
  readonly name = "";
  readonly node = undefined;
  readonly sizeBytes = 0;
  readonly isInserted = false;
  readonly readOnly = true;
  readonly stats = new BackendStatistics();
  writeCacheEnabled = true;

  read(): Promise<void> {
    return Promise.reject(ioError("read", "ENOMEDIUM"));
  }

  write(): Promise<void> {
    return Promise.reject(ioError("write", "ENOMEDIUM"));
  }

  discard(): Promise<void> {
    return Promise.reject(ioError("discard", "ENOMEDIUM"));
  }

  async flush(): Promise<void> {}

  reportError(): "report" {
    return "report";
  }

  trayMoved(): void {}
}
