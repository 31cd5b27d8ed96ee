// What a connection and a command can be told, and the check of it. Limits are checked before
// anything is opened, so that nothing is left behind when one is wrong.

import { CALL_LIMIT_DEFAULT } from './calls.js';
import { QmpArgumentError } from './errors.js';
import { LINE_LIMIT_DEFAULT } from './framing.js';
import { TIMEOUT_DEFAULT_MS, type WaitOptions } from './waiting.js';

export interface ConnectOptions extends WaitOptions {
  /** Use out-of-band execution when the server offers it. Default true. */
  readonly oob?: boolean;
  /** Longest message accepted from the server, bytes. Default 16 MiB. */
  readonly lineLimit?: number;
  /** Commands waiting and in flight together. Default 65,536. */
  readonly callLimit?: number;
  /**
   * In-band commands with QEMU at a time, at least 1. Default 8 with out-of-band execution (and
   * never more), else no limit. QEMU runs them one by one in any case.
   */
  readonly inFlightLimit?: number;
  /**
   * Give an id even to a command that is alone in flight. Default false: QEMU answers each command
   * once, so the reply is its, and the bytes of an id cost a fifth of a round trip. Give true for
   * a peer that may answer twice.
   */
  readonly alwaysId?: boolean;
  /**
   * Give integers beyond 2^53 as bigint; the types go on saying number. Default false: such an
   * integer is rounded. Arguments may hold bigints in any case.
   */
  readonly bigints?: boolean;
  /** Time limit of commands that name none, milliseconds. Default 10 s. */
  readonly commandTimeoutMs?: number;
  /** Is given each line as it goes (`>`) and comes (`<`), for a log. It must not throw. */
  readonly trace?: Trace;
}

/** Takes one line of the protocol, which may end with a line feed. */
export type Trace = (direction: '>' | '<', line: string) => void;

export interface ExecuteOptions extends WaitOptions {
  /** Descriptors sent along (`getfd`, `add-fd`): UNIX sockets only, needs koffi installed. */
  readonly fds?: readonly number[];
}

/** The options of a connection, each with its value; time limit, signal and trace are apart. */
export type Settings = Required<Omit<ConnectOptions, keyof WaitOptions | 'trace'>>;

/** @throws QmpArgumentError for a limit that is none */
export function settingsOf(options: ConnectOptions): Settings {
  const limits = {
    lineLimit: options.lineLimit ?? LINE_LIMIT_DEFAULT,
    callLimit: options.callLimit ?? CALL_LIMIT_DEFAULT,
    inFlightLimit: options.inFlightLimit ?? Number.POSITIVE_INFINITY,
    commandTimeoutMs: options.commandTimeoutMs ?? TIMEOUT_DEFAULT_MS,
  };
  for (const [name, value] of Object.entries(limits)) {
    if (!(value >= 1)) throw new QmpArgumentError(`${name} must be at least 1, not ${value}`);
  }
  return {
    ...limits,
    oob: options.oob ?? true,
    alwaysId: options.alwaysId ?? false,
    bigints: options.bigints ?? false,
  };
}
