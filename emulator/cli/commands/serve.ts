/**
 * `tmem serve`: the store and the ivshmem server alone, for a QEMU that somebody else starts.
 */
import { lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { shellQuote } from '@qemu-tmem/qmp';
import { type Command, InvalidArgumentError } from 'commander';
import { ExitCode } from '../../errors.js';
import { TmemServer } from '../../session/server.js';
import type { Context, Runner } from '../context.js';
import { addStoreOptions, type StoreFlags, storeOptions } from '../options.js';

interface ServeFlags extends StoreFlags {
  socket: string;
  json?: true;
}

function socketPath(path: string): string {
  if (path !== '') return path;
  throw new InvalidArgumentError('It must be the path of a socket to make.');
}

/** Removes a socket whose server is gone: nobody listens there. Others are left for `listen` to find. */
async function removeStale(path: string): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return false;
  const refused = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
  if (refused) rmSync(path, { force: true });
  return refused;
}

async function serve(flags: ServeFlags, context: Context): Promise<number> {
  if (await removeStale(flags.socket)) {
    context.progress.say(`removed ${flags.socket}, whose server was gone`);
  }
  await using server = await TmemServer.start({
    ...storeOptions(flags),
    socketPath: flags.socket,
    onEvent: context.progress.say,
  });
  const qemuArguments = server.qemuArguments();
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ socket: server.socketPath, vectors: server.vectors, qemuArguments })}\n`
      : `${shellQuote(qemuArguments)}\n`,
  );
  context.progress.say('serving; Ctrl-C ends it');
  await new Promise<void>((resolve) => {
    context.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const stats = await server.stats();
  context.progress.say(`${stats.puts} puts, ${stats.gets} gets, ${stats.flushes} flushes served`);
  return ExitCode.OK;
}

export function addServeCommand(program: Command, run: Runner): void {
  const command = program
    .command('serve')
    .description('run the store and ivshmem server for a QEMU of your own')
    .requiredOption('--socket <path>', 'UNIX socket for QEMU to connect to', socketPath)
    .option('--json', 'print the arguments QEMU needs as one JSON object');
  addStoreOptions(command).action((flags: ServeFlags) =>
    run(flags, (context) => serve(flags, context)),
  );
}
