/**
 * Where a socket is, and how it is told.
 *
 * @module
 */

/** Where a socket is; a port may be a name, and `to` is the last port that is tried. */
export type SocketAddress =
  | { readonly transport: "unix"; readonly path: string; readonly abstract?: AbstractName }
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: string; readonly to?: number }
  | { readonly transport: "fd"; readonly descriptor: number };

/** The path is no file but a name that the kernel keeps; one that is not tight ends in zeroes, up to the full length. */
export interface AbstractName {
  readonly tight: boolean;
}

/** `unix:m.sock`, `tcp:127.0.0.1:4444`, `fd:3`. */
export function addressText(address: SocketAddress, protocol = "tcp"): string {
  switch (address.transport) {
    case "unix":
      return `unix:${address.path}${
        address.abstract === undefined ? "" : address.abstract.tight ? ",abstract=on,tight=on" : ",abstract=on"
      }`;
    case "fd":
      return `fd:${address.descriptor}`;
    case "tcp": {
      const { hostname, port } = address;
      return `${protocol}:${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    }
  }
}
