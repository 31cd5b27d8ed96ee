// One connected shell: takes lines, runs them, prints replies on standard output and everything
// else on standard error. What always holds: a reply is one line of JSON (or indented with
// --pretty), so scripts can read it; events never mix into standard output.

import type { Writable } from 'node:stream';
import type { QmpClient } from '../client.js';
import { QmpCommandError, QmpError } from '../errors.js';
import type { QmpEventMessage } from '../messages.js';
import { completeLine, describeCommand } from '../schema/describe.js';
import { readSchema, type Schema } from '../schema/introspection.js';
import { type ParsedCommand, parseWords, splitWords } from './parse.js';

export interface SessionOptions {
  readonly pretty: boolean;
  readonly verbose: boolean;
  /** Lines are for the human monitor. */
  readonly hmp: boolean;
  readonly timeoutMs: number;
}

/** Words the shell itself takes. */
const OWN_WORDS = ['exit', 'help', 'oob'] as const;

export class ShellSession {
  readonly #client: QmpClient;
  readonly #options: SessionOptions;
  readonly #out: Writable;
  readonly #err: Writable;
  #schema: Promise<Schema | undefined> | undefined;
  #schemaReady: Schema | undefined;

  constructor(client: QmpClient, options: SessionOptions, out: Writable, err: Writable) {
    this.#client = client;
    this.#options = options;
    this.#out = out;
    this.#err = err;
  }

  /** The schema of the connected QEMU, asked for once; undefined when it has none to tell. */
  schema(): Promise<Schema | undefined> {
    this.#schema ??= this.#client
      .execute('query-qmp-schema', undefined, { timeoutMs: this.#options.timeoutMs })
      .then(readSchema)
      .catch(() => undefined)
      .then((schema) => {
        this.#schemaReady = schema;
        return schema;
      });
    return this.#schema;
  }

  /** For readline: synchronous, so empty until the schema has come. */
  complete(line: string): [string[], string] {
    if (!this.#schemaReady || this.#options.hmp) return [[], line];
    return completeLine(this.#schemaReady, line, OWN_WORDS);
  }

  /** Run a line; blank ones and those that begin with # do nothing. Throws as `runWords`. */
  async runLine(line: string): Promise<void> {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) return;
    if (this.#options.hmp) await this.#runHuman(text);
    else await this.runWords(splitWords(text));
  }

  /** Run a command given as words. @throws QmpError as the client does */
  async runWords(words: readonly string[]): Promise<void> {
    if (this.#options.hmp) return this.#runHuman(words.join(' '));
    if (words[0] === 'help') return this.#help(words[1]);
    // The schema is worth its 200 kB only where a value's type could be in doubt.
    const doubtful = words.slice(1).some((word) => word.includes('='));
    const parsed = parseWords(words, doubtful ? await this.schema() : undefined);
    this.#print(await this.#send(parsed));
  }

  printEvent(event: QmpEventMessage): void {
    const time = event.timestamp.seconds + event.timestamp.microseconds / 1e6;
    const clock = new Date(time * 1_000).toISOString().slice(11, 23);
    this.#err.write(`${clock} ${event.event} ${JSON.stringify(event.data)}\n`);
  }

  printError(error: unknown): void {
    if (error instanceof QmpCommandError) {
      this.#err.write(`error: ${error.errorClass}: ${error.description}\n`);
    } else if (error instanceof QmpError) {
      this.#err.write(`error: ${error.code}: ${error.message}\n`);
    } else {
      this.#err.write(`error: ${String(error)}\n`);
    }
  }

  async #send(parsed: ParsedCommand): Promise<unknown> {
    const { command, arguments: args, oob } = parsed;
    const options = { timeoutMs: this.#options.timeoutMs };
    if (this.#options.verbose) {
      const verb = oob ? 'exec-oob' : 'execute';
      this.#err.write(`-> ${JSON.stringify({ [verb]: command, arguments: args })}\n`);
    }
    if (oob) return await this.#client.executeOobUntyped(command, args, options);
    return await this.#client.executeUntyped(command, args, options);
  }

  async #runHuman(line: string): Promise<void> {
    const args = { 'command-line': line };
    const { timeoutMs } = this.#options;
    const text = await this.#client.execute('human-monitor-command', args, { timeoutMs });
    this.#out.write(text.replaceAll('\r\n', '\n'));
  }

  async #help(command: string | undefined): Promise<void> {
    const schema = await this.schema();
    const names = schema?.commands.map((entry) => entry.name) ?? [];
    if (command === undefined) {
      this.#out.write(`${[...names, ...OWN_WORDS].join('\n')}\n`);
      return;
    }
    const text = schema && describeCommand(schema, command);
    this.#out.write(`${text ?? `The schema has no command ${command}`}\n`);
  }

  #print(value: unknown): void {
    const text = this.#options.pretty ? JSON.stringify(value, null, 2) : JSON.stringify(value);
    this.#out.write(`${text}\n`);
  }
}
