/**
 * The monitor: commands, the prompt over them, and the scripting facade.
 *
 * @module
 */
export { allCommands, COMMANDS, type Commands } from "./commands/mod.ts";
export type { BlockInfo, BlockList, BlockStats, InsertedInfo } from "./commands/block.ts";
export type { ExplainStep, Explanation } from "./commands/explain.ts";
export type { GraphBox, GraphDrawing, GraphLine } from "./commands/graph.ts";
export type { IoAnswer, IoText } from "./commands/qemu_io.ts";
export { type DriveAddition, type DriveMaker, MachineDriveMaker } from "./drive_maker.ts";
export { deviceTypesText, deviceTypeText } from "./format/mod.ts";
export { MonitorError } from "./errors.ts";
export { historyPath, loadHistory, saveHistory } from "./transports/history_file.ts";
export { HmpMonitor, HmpSession, PROMPT } from "./hmp/monitor.ts";
export { serveChannel } from "./hmp/serve.ts";
export * from "./io/mod.ts";
export { LOG_ITEMS, type LogHost, MonitorLog } from "./log.ts";
export { denoLogHost } from "./log_file.ts";
export { openControl, type OpenMonitorOptions, openPrompt } from "./open_monitor.ts";
export { type CommandRegistry } from "./schema/registry.ts";
export * from "./transports/mod.ts";
export { StorageHost, type StorageSite } from "./storage_host.ts";
export { PACKAGE_VERSION, QEMU_VERSION, qemuVersionText } from "./version.ts";
export { type CommandName, type CommandValues, Vm, type VmParts } from "./vm.ts";
export { createImage, type MappedExtent, OpenedImage, openImage, type OpenImageOptions } from "./vm/images.ts";
export { readLinuxFiles } from "./vm/linux_files.ts";
export type { VmOptions } from "./vm/options.ts";
export { type RequestFilter, VmBackend, VmDevice } from "./vm/views.ts";
export { requestLine, WaitError, type WaitOptions } from "./vm/waits.ts";
