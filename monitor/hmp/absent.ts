/**
 * Commands that QEMU 7.2's prompt has and moa's has not: who types one is told so, instead of being offered another.
 *
 * @module
 */

const COMMANDS = "announce_self balloon " +
  " calc_dirty_rate cancel_vcpu_dirty_limit" +
  " client_migrate_info closefd cpu" +
  " dump-guest-memory dumpdtb exit_preconfig expire_password gdbserver getfd gpa2hpa" +
  " hostfwd_add hostfwd_remove mce memsave migrate migrate_cancel migrate_continue migrate_incoming migrate_pause" +
  " migrate_recover migrate_set_capability migrate_set_parameter migrate_start_postcopy" +
  " nbd_server_add nbd_server_remove nbd_server_start nbd_server_stop netdev_add netdev_del nmi" +
  " pcie_aer_inject_error pmemsave replay_break replay_delete_break" +
  " replay_seek set_link set_password set_vcpu_dirty_limit" +
  " singlestep stopcapture sync-profile" +
  " system_wakeup watchdog_action wavcapture x_colo_lost_heartbeat";

const INFO = "balloon capture dirty_rate dump hotpluggable-cpus jit kvm" +
  " memdev memory-devices migrate migrate_capabilities migrate_parameters network numa" +
  " opcount profile qdm ramblock rdma replay rocker rocker-of-dpa-flows rocker-of-dpa-groups" +
  " rocker-ports sev sgx spice stats sync-profile tpm usb usbhost usernet vcpu_dirty_limit virtio" +
  " virtio-queue-element virtio-queue-status virtio-status virtio-vhost-queue-status vm-generation-id vnc";

/** Their names; those below `info` with that before them. */
export const ABSENT_COMMANDS: ReadonlySet<string> = new Set([
  ...COMMANDS.split(" "),
  ...INFO.split(" ").map((name) => `info ${name}`),
]);
