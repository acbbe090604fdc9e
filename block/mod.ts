/**
 * The block layer: nodes, graph, backends, and the types that drivers and users share.
 *
 * @module
 */
export { type AccessAdvice, advise } from "./access_advice.ts";
export * from "./backend.ts";
export type * from "./backend_types.ts";
export * from "./bitmap.ts";
export * from "./bitmap_actions.ts";
export * from "./block_status.ts";
export * from "./breakpoints.ts";
export * from "./chain.ts";
export { addChild, removeChild } from "./children.ts";
export { copyInKernel } from "./copy_in_kernel.ts";
export * from "./create.ts";
export { createIn, creatingDriver, type ImagePlaces } from "./create_in.ts";
export * from "./create_options.ts";
export { DONE } from "./done.ts";
export * from "./drive.ts";
export * from "./driver.ts";
export * from "./drivers.ts";
export * from "./errors.ts";
export * from "./fd_sets.ts";
export * from "./find_backing.ts";
export * from "./graph.ts";
export type * from "./inspection.ts";
export { BlockNode } from "./node.ts";
export type * from "./node_options.ts";
export type { ImageRequest } from "./open.ts";
export { type KeySlotChange, parseKeySlotChange } from "./crypto/key_slot_options.ts";
export type { SecretSource } from "./crypto/secret_source.ts";
export { type BackupOptions, type BitmapMode, createBackup, startBackup } from "./jobs/backup.ts";
export * from "./jobs/commit.ts";
export { type CommitJobOptions, startCommit } from "./jobs/commit_job.ts";
export { JobGroup } from "./jobs/group.ts";
export { Job, type JobOptions } from "./jobs/job.ts";
export { type BlockJobFacts, type JobEvents, JobSet } from "./jobs/job_set.ts";
export { type MirrorOptions, startMirror } from "./jobs/mirror.ts";
export { JOB_STATES, type JobStatus, type JobVerb } from "./jobs/states.ts";
export { startOnce } from "./jobs/once.ts";
export { startStream, type StreamOptions } from "./jobs/stream.ts";
export type { JobErrorPolicy, JobStep, JobType, JobWork } from "./jobs/work.ts";
export * from "./objects/mod.ts";
export * from "./options/blockdev.ts";
export * from "./options/blockdev_add.ts";
export * from "./options/cache_mode.ts";
export * from "./options/drive.ts";
export { DRIVE_OPTIONS } from "./options/drive_options.ts";
export { resolveAgainst } from "./options/filename.ts";
export { formatJson, optionValue, parseJson, qemuKeyOrder } from "./options/json.ts";
export { COMMON_OPTIONS, DRIVER_OPTIONS, type OptionRow, QEMU_DRIVERS } from "./options/schema.ts";
export type { OptionTree, OptionValue } from "./options/tree.ts";
export { checkBlockdev, nestOptions } from "./options/tree.ts";
export * from "./permissions.ts";
export * from "./policy.ts";
export { activate, activateAll, inactivate, inactivateAll } from "./activity.ts";
export { drained, insertFilter, refreshName, removeFilter, replaceNode, setBacking, visibleNode } from "./rewire.ts";
export { changedOptions, reopenNodes, type ReopenRequest } from "./reopen_options.ts";
export * from "./statistics.ts";
export { isAscending, LatencyHistogram } from "./latency_histogram.ts";
export { setWriteThreshold, type WriteThreshold } from "./write_threshold.ts";
export type { ThrottleGroup } from "./throttling/group.ts";
export {
  LIMIT_NAMES,
  limitsAnything,
  limitsOf,
  NO_LIMITS,
  type RateLimit,
  type RateName,
  RATES,
  type ThrottleLimits,
} from "./throttling/limits.ts";
