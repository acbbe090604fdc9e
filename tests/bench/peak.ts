/**
 * Runs a program and tells how long it took and how much memory it held at most: a process of its own, since the system
 * counts the most that any child of a process held.
 *
 *     deno run -P=bench tests/bench/peak.ts PROGRAM ARGUMENTS
 *
 * Its one line is JSON: `{"seconds", "peakBytes", "code"}`. What the program prints goes nowhere but for its errors.
 *
 * Source: getrusage(2).
 *
 * @module
 */
const RUSAGE_CHILDREN = -1;
const RUSAGE_BYTES = 144;
/** `ru_maxrss`, in KiB, behind two `struct timeval`. */
const MAXRSS_AT = 32;

const [program = "", ...args] = Deno.args;
const libc = Deno.dlopen("libc.so.6", { getrusage: { parameters: ["i32", "buffer"], result: "i32" } });
const start = performance.now();
const { code } = await new Deno.Command(program, { args, stdout: "null", stderr: "inherit" }).spawn().status;
const seconds = (performance.now() - start) / 1000;
const usage = new DataView(new ArrayBuffer(RUSAGE_BYTES));
libc.symbols.getrusage(RUSAGE_CHILDREN, usage.buffer as ArrayBuffer);
libc.close();
console.log(JSON.stringify({ seconds, peakBytes: Number(usage.getBigInt64(MAXRSS_AT, true)) * 1024, code }));
