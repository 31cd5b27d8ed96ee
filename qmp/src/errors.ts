// The error tree of the package. Every error carries a stable `code`: match on the code, not on
// the class or the text. What always holds: the message says what happened and what to do next.

/** What was sent for a command, kept with the errors that concern it. */
export interface SentCommand {
  readonly command: string;
  readonly arguments: unknown;
}

/** The base of everything this package throws. */
export class QmpError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
  }
}

/** `QMP_CONNECT`: no connection to the monitor's socket. */
export class QmpConnectError extends QmpError {
  constructor(message: string, cause?: unknown) {
    super('QMP_CONNECT', message, { cause });
  }
}

/** `QMP_GREETING`: connected, but what came was no QMP greeting, or nothing came in time. */
export class QmpGreetingError extends QmpError {
  readonly raw: string | undefined;

  constructor(message: string, raw?: string, cause?: unknown) {
    super('QMP_GREETING', message, { cause });
    this.raw = raw;
  }
}

/** `QMP_NEGOTIATION`: greeted, but `qmp_capabilities` was refused or not answered. */
export class QmpNegotiationError extends QmpError {
  constructor(message: string, cause?: unknown) {
    super('QMP_NEGOTIATION', message, { cause });
  }
}

/**
 * `QMP_BAD_REPLY`: the server sent something that is no QMP message (`raw` is it as it came), or
 * said that it could not parse ours. The connection is closed: what follows cannot be trusted.
 * `QMP_LINE_TOO_LONG`: a message passed the length limit; `raw` is its beginning.
 */
export class QmpBadReplyError extends QmpError {
  readonly raw: string;

  constructor(message: string, raw: string, code: string = 'QMP_BAD_REPLY', cause?: unknown) {
    super(code, message, { cause });
    this.raw = raw;
  }
}

/** `QMP_COMMAND_FAILED`: QEMU answered with an error. Decide on `errorClass`, never on the text. */
export class QmpCommandError extends QmpError {
  readonly errorClass: string;
  readonly description: string;
  readonly sent: SentCommand;

  constructor(errorClass: string, description: string, sent: SentCommand) {
    super('QMP_COMMAND_FAILED', `${sent.command}: ${description} (${errorClass})`);
    this.errorClass = errorClass;
    this.description = description;
    this.sent = sent;
  }
}

/**
 * `QMP_INTERRUPTED`: the connection ended before the answer; whether QEMU carried the command out
 * is unknown when `written` is true. `sent` is missing when no command was concerned.
 */
export class QmpInterruptedError extends QmpError {
  readonly sent: SentCommand | undefined;
  readonly written: boolean;

  constructor(message: string, sent?: SentCommand, written: boolean = false, cause?: unknown) {
    super('QMP_INTERRUPTED', message, { cause });
    this.sent = sent;
    this.written = written;
  }
}

/** `QMP_CLOSED`: the client, or the listener, had been closed before the call. */
export class QmpClosedError extends QmpError {
  constructor(message: string, cause?: unknown) {
    super('QMP_CLOSED', message, { cause });
  }
}

/** A time limit as a person writes it: whole seconds, else whole milliseconds. */
function shownLimit(timeoutMs: number): string {
  const ms = Math.max(1, Math.round(timeoutMs));
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}

/** `QMP_TIME_LIMIT`: no answer within `timeoutMs` milliseconds. The command may still run. */
export class QmpTimeLimitError extends QmpError {
  readonly timeoutMs: number;
  readonly sent: SentCommand | undefined;

  constructor(what: string, timeoutMs: number, sent?: SentCommand) {
    super('QMP_TIME_LIMIT', `The limit of ${shownLimit(timeoutMs)} passed while ${what}`);
    this.timeoutMs = timeoutMs;
    this.sent = sent;
  }
}

/** `QMP_ABORTED`: the caller's signal fired; `cause` is its reason. */
export class QmpAbortedError extends QmpError {
  constructor(what: string, reason: unknown) {
    super('QMP_ABORTED', `Aborted by the signal while ${what}`, { cause: reason });
  }
}

/** `QMP_OVERLOADED`: a bound of this side (waiting commands, waiting events) was passed. */
export class QmpOverloadedError extends QmpError {
  constructor(message: string) {
    super('QMP_OVERLOADED', message);
  }
}

/** `QMP_BAD_ARGUMENT`: the call itself was wrong; nothing was sent. */
export class QmpArgumentError extends QmpError {
  constructor(message: string, cause?: unknown) {
    super('QMP_BAD_ARGUMENT', message, { cause });
  }
}

/** `QMP_FD_PASSING`: a file descriptor could not be sent along. */
export class QmpFdError extends QmpError {
  constructor(message: string, cause?: unknown) {
    super('QMP_FD_PASSING', message, { cause });
  }
}
