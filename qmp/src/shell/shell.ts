// The QMP shell: `qmp ADDRESS` at a terminal, `qmp ADDRESS COMMAND key=value ...` in scripts, or
// commands line by line on standard input. What always holds: it ends with one of the codes below,
// its connection closed; with one command, nothing but the reply is on standard output.

import * as readline from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import { QmpClient } from '../client.js';
import { QmpArgumentError, QmpError } from '../errors.js';
import { parseAddress } from '../transport.js';
import { historyPath, readHistory, writeHistory } from './history.js';
import { ShellSession } from './session.js';

/** Exit codes: sysexits' 69 for what cannot be reached, timeout(1)'s 124. */
export const SHELL_EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 69, timeLimit: 124 } as const;

export interface ShellIo {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: NodeJS.ProcessEnv;
}

const TIMEOUT_DEFAULT_MS = 10_000;

export const SHELL_USAGE = `Usage: qmp ADDRESS [options] [COMMAND [key=value ...]]
ADDRESS is a UNIX socket's path, or HOST:PORT. Without COMMAND: a shell at a terminal, else
commands line by line from standard input.

  -p, --pretty       indent replies
  -v, --verbose      show what is sent
  -H, --hmp          lines are for the human monitor
  -e, --events       show events (a terminal shows them always)
  -w, --wait EVENT   after the last command wait for this event and print it
  -k, --keep-going   on standard input: go on after a command that failed
  -t, --timeout MS   for each command and for --wait (default ${TIMEOUT_DEFAULT_MS})
      --no-oob       do not negotiate out-of-band execution
  -h, --help         this text

Arguments: key=value, nested.key=value, key={"json": 1}, or one JSON object {"execute": ...}.
"oob COMMAND" sends it out of band, "help [COMMAND]" shows the schema, "exit" leaves.
Exit codes: 0 done, 1 a command failed, 2 wrong use, 69 not reachable, 124 time limit.
`;

interface ShellPlan {
  readonly address: string;
  readonly words: readonly string[];
  readonly pretty: boolean;
  readonly verbose: boolean;
  readonly hmp: boolean;
  readonly events: boolean;
  readonly wait: string | undefined;
  readonly keepGoing: boolean;
  readonly timeoutMs: number;
  readonly oob: boolean;
}

/** Where the command begins: after it, everything is the command's own, dashes too. */
function commandIndex(argv: readonly string[]): number {
  let positionals = 0;
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index]!;
    if (/^(-w|--wait|-t|--timeout)$/.test(word)) index += 1;
    else if (!word.startsWith('-') && ++positionals === 2) return index;
  }
  return argv.length;
}

function readPlan(argv: readonly string[]): ShellPlan | undefined {
  const split = commandIndex(argv);
  const words = argv.slice(split);
  const { values, positionals } = parseArgs({
    args: argv.slice(0, split),
    allowPositionals: true,
    options: {
      pretty: { type: 'boolean', short: 'p', default: false },
      verbose: { type: 'boolean', short: 'v', default: false },
      hmp: { type: 'boolean', short: 'H', default: false },
      events: { type: 'boolean', short: 'e', default: false },
      wait: { type: 'string', short: 'w' },
      'keep-going': { type: 'boolean', short: 'k', default: false },
      timeout: { type: 'string', short: 't', default: String(TIMEOUT_DEFAULT_MS) },
      'no-oob': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const [address] = positionals;
  if (address === undefined) throw new QmpArgumentError('An address is needed');
  const timeoutMs = Number(values.timeout);
  if (!(timeoutMs > 0))
    throw new QmpArgumentError(`--timeout ${values.timeout} is no number of ms`);
  return {
    address,
    words,
    pretty: values.pretty,
    verbose: values.verbose,
    hmp: values.hmp,
    events: values.events,
    wait: values.wait,
    keepGoing: values['keep-going'],
    timeoutMs,
    oob: !values['no-oob'],
  };
}

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  const code = (error as { code?: unknown }).code;
  switch (code) {
    case 'QMP_CONNECT':
    case 'QMP_GREETING':
    case 'QMP_NEGOTIATION':
      return SHELL_EXIT.unreachable;
    case 'QMP_TIME_LIMIT':
      return SHELL_EXIT.timeLimit;
    case 'QMP_BAD_ARGUMENT':
      return SHELL_EXIT.usage;
    default:
      return String(code).startsWith('ERR_PARSE_ARGS') ? SHELL_EXIT.usage : SHELL_EXIT.failed;
  }
}

async function runScript(session: ShellSession, plan: ShellPlan, input: Readable): Promise<number> {
  const lines = readline.createInterface({ input, terminal: false });
  let code: number = SHELL_EXIT.ok;
  try {
    for await (const line of lines) {
      if (line.trim() === 'exit') break;
      try {
        await session.runLine(line);
      } catch (error) {
        session.printError(error);
        code = exitCodeOf(error);
        if (!plan.keepGoing) break;
      }
    }
  } finally {
    lines.close();
  }
  return code;
}

/** A terminal: prompt, completion, history, events between the lines. */
async function runInteractive(
  client: QmpClient,
  session: ShellSession,
  io: ShellIo,
): Promise<number> {
  const file = historyPath(io.env);
  const lines = readline.createInterface({
    input: io.stdin,
    output: io.stdout,
    prompt: '(QEMU) ',
    history: readHistory(file),
    removeHistoryDuplicates: true,
    completer: (line: string) => session.complete(line),
  });
  lines.on('history', (history: string[]) => writeHistory(file, history));
  using events = client.listen();
  const showing = showEvents(events, (event) => {
    // Over the prompt, then the prompt again with what was being typed.
    io.stdout.write('\r\x1b[K');
    session.printEvent(event);
    lines.prompt(true);
  }).finally(() => lines.close());
  void session.schema();
  lines.prompt();
  try {
    for await (const line of lines) {
      if (line.trim() === 'exit') break;
      await session.runLine(line).catch((error) => session.printError(error));
      if (client.closed) break;
      lines.prompt();
    }
  } finally {
    lines.close();
  }
  events.close();
  const lost = await showing;
  io.stdout.write('\n');
  if (lost === undefined) return SHELL_EXIT.ok;
  session.printError(lost);
  return SHELL_EXIT.failed;
}

/** Show events until the listener is closed; gives back why it ended, when it was not that. */
async function showEvents<E>(events: AsyncIterable<E>, show: (event: E) => void): Promise<unknown> {
  try {
    for await (const event of events) show(event);
    return undefined;
  } catch (error) {
    return error;
  }
}

async function runPlan(client: QmpClient, plan: ShellPlan, io: ShellIo): Promise<number> {
  const session = new ShellSession(client, plan, io.stdout, io.stderr);
  const { words, timeoutMs } = plan;
  if (words.length === 0 && io.stdin.isTTY && plan.wait === undefined) {
    return await runInteractive(client, session, io);
  }
  // Both are open before the command, so that neither misses what it causes.
  using shown = client.listen();
  using wanted = client.listenUntyped(plan.wait ?? '');
  const showing = plan.events ? showEvents(shown, (event) => session.printEvent(event)) : undefined;
  let code: number = SHELL_EXIT.ok;
  try {
    if (words.length > 0) await session.runWords(words);
    else if (plan.wait === undefined || !io.stdin.isTTY) {
      code = await runScript(session, plan, io.stdin);
    }
    if (plan.wait !== undefined && code === SHELL_EXIT.ok) {
      const event = await wanted.next({ timeoutMs });
      io.stdout.write(`${JSON.stringify(event)}\n`);
    }
  } catch (error) {
    session.printError(error);
    code = exitCodeOf(error);
  }
  shown.close();
  await showing;
  return code;
}

/**
 * Run the shell; this is what the bin does, and what another program's subcommand can call.
 * @param argv without node and script: `['/run/q.sock', 'query-status']`
 * @returns the exit code; never throws, never exits the process
 */
export async function runShell(argv: readonly string[], io: ShellIo = process): Promise<number> {
  try {
    const plan = readPlan(argv);
    if (!plan) {
      io.stdout.write(SHELL_USAGE);
      return SHELL_EXIT.ok;
    }
    const { oob } = plan;
    await using client = await QmpClient.connect(parseAddress(plan.address), { oob });
    return await runPlan(client, plan, io);
  } catch (error) {
    const code = exitCodeOf(error);
    const text = error instanceof Error ? error.message : String(error);
    const name = error instanceof QmpError ? `${error.code}: ` : '';
    io.stderr.write(`qmp: ${name}${text}\n${code === SHELL_EXIT.usage ? SHELL_USAGE : ''}`);
    return code;
  }
}
