// How a schema's types reach the client: from the interface that `qmp-types` generates to the
// parameters of execute() and listen(). Types only: nothing of it exists at run time.

import type { QmpEventMessage } from '../messages.js';

/** The shape of a generated schema interface. */
export interface QmpSchema {
  commands: object;
  events: object;
}

interface CommandShape {
  arguments: unknown;
  result: unknown;
  oob: boolean;
}

type Shape<S extends QmpSchema, C> = C extends keyof S['commands']
  ? S['commands'][C] extends CommandShape
    ? S['commands'][C]
    : never
  : never;

export type CommandName<S extends QmpSchema> = keyof S['commands'] & string;
export type CommandArguments<S extends QmpSchema, C extends CommandName<S>> = Shape<
  S,
  C
>['arguments'];
export type CommandResult<S extends QmpSchema, C extends CommandName<S>> = Shape<S, C>['result'];

/** The commands that may run out of band. */
export type OobCommandName<S extends QmpSchema> = {
  [C in CommandName<S>]: Shape<S, C>['oob'] extends true ? C : never;
}[CommandName<S>];

/** Arguments may be left out where none of them is needed. */
export type CommandParameters<S extends QmpSchema, C extends CommandName<S>, Options> =
  Record<never, never> extends CommandArguments<S, C>
    ? [args?: CommandArguments<S, C> | undefined, options?: Options]
    : [args: CommandArguments<S, C>, options?: Options];

export type EventName<S extends QmpSchema> = keyof S['events'] & string;

/** The message of an event; for several names, the union of theirs, told apart by `event`. */
export type EventOf<S extends QmpSchema, N extends EventName<S>> =
  N extends EventName<S> ? QmpEventMessage<N, S['events'][N]> : never;
