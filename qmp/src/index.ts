// The public face of the package: a QMP client, its events and errors, and a QEMU launcher.

export { QmpClient } from './client.js';
export * from './errors.js';
export {
  type EventPredicate,
  HISTORY_LIMIT_DEFAULT,
  type ListenOptions,
  QmpListener,
  QUEUE_LIMIT_DEFAULT,
} from './events.js';
export { LINE_LIMIT_DEFAULT, MessageSplitter } from './framing.js';
export type { Qemu72Schema } from './generated/qemu-7.2.js';
export {
  type LaunchOptions,
  Machine,
  type MachineExit,
  MachineLaunchError,
  MachineStuckError,
  type QuitMethod,
  type QuitOptions,
} from './machine/machine.js';
export {
  escapeComma,
  formatOption,
  formatOptions,
  MachineSpecError,
  type OptionProperties,
  type OptionValue,
  type QemuOption,
  shellQuote,
} from './machine/options.js';
export {
  type AccelSpec,
  type BlockdevSpec,
  type ChardevSpec,
  type DeviceSpec,
  inheritedFd,
  type MachineSpec,
  type MachineTypeSpec,
  machineArguments,
  machineCommand,
  type NetdevSpec,
  type ObjectSpec,
} from './machine/spec.js';
export type { Greeting, QmpEventMessage } from './messages.js';
export type { ConnectOptions, ExecuteOptions } from './options.js';
export { type GenerateOptions, generateTypes } from './schema/generate.js';
export { QmpSchemaError, readSchema, type Schema } from './schema/introspection.js';
export type {
  CommandArguments,
  CommandName,
  CommandParameters,
  CommandResult,
  EventName,
  EventOf,
  OobCommandName,
  QmpSchema,
} from './schema/types.js';
export { describeAddress, parseAddress, type QmpAddress } from './transport.js';
export { TIMEOUT_DEFAULT_MS, type WaitOptions } from './waiting.js';
