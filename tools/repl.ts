/**
 * What `deno task repl` loads before its first prompt: the public API, and a machine as `vm`.
 *
 * @module
 */
import * as moa from "moa";

Object.assign(globalThis, moa, { moa, vm: await moa.Vm.start({ paused: true }) });
console.log("moa: the API is loaded; vm is a machine without disks. Try: await vm.monitor('info block')");
