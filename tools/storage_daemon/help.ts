/**
 * What `--help` says.
 *
 * @module
 */
import type { Program } from "../common/program.ts";

/** The options, and what of them moa has not. */
export function helpText(program: Program): string {
  return `Usage: ${program.invocation} [options]
QEMU storage daemon

  -h, --help             this text
  -T, --trace [[enable=]<pattern>][,events=<file>]
                         trace events, on standard error
  -V, --version          which version this is

  --blockdev [driver=]<driver>[,node-name=<N>][,<option>=<value>...]
                         opens a node, as -blockdev of a machine does

  --chardev <options>    makes a character device: null, stdio, file, pipe, pty,
                         socket, udp, ringbuf

  --daemonize            goes into the background once all is open

  --export [type=]<type>,id=<id>,node-name=<node-name>[,...]
                         not there yet

  --monitor [chardev=]name[,mode=control][,pretty[=on|off]]
                         speaks QMP on a character device

  --nbd-server addr.type=inet|unix,addr.<option>=<value>[,...]
                         not there yet

  --object help          lists the types of objects
  --object <type>,help   lists the properties of a type
  --object <type>,id=<id>[,<property>=<value>...]
                         makes an object: secret, throttle-group, iothread

  --pidfile <path>       a file with the process's number, once all is open

  ${program.invocation} --blockdev file,node-name=f,filename=disk.qcow2 \\
    --blockdev qcow2,node-name=disk,file=f --chardev stdio,id=mon --monitor mon
`;
}
