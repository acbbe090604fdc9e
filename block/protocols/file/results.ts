/**
 * From a system call's result to what the block layer throws.
 *
 * @module
 */
import { type Errno, errnoFromNumber, errnoNumber, errnoText } from "../../../base/errno.ts";
import { BlockError, ioError, type Operation } from "../../errors.ts";

/** What an engine answers when it cannot tell the error number. */
export const EIO_RESULT = -errnoNumber("EIO");

/** The error's name of a negative result. */
export function errnoOfResult(result: number): Errno {
  return errnoFromNumber(-result);
}

/** A failed request. */
export function requestError(
  operation: Operation,
  result: number,
  where: { readonly path: string; readonly offsetBytes?: number; readonly lengthBytes?: number },
): BlockError {
  return ioError(operation, errnoOfResult(result), where);
}

/** `text: reason`, for what is no request. */
export function stateError(text: string, result: number): BlockError {
  const errno = errnoOfResult(result);
  return new BlockError({ kind: "state", text: `${text}: ${errnoText(errno)}`, errno });
}

/** Whether a result says that file system or device cannot do this, rather than that it went wrong. */
export function cannot(result: number): boolean {
  switch (errnoOfResult(result)) {
    case "ENOTSUP":
    case "ENOSYS":
    case "ENOTTY":
      return true;
    default:
      return false;
  }
}
