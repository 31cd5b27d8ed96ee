/**
 * `tmem serve`: the store and the ivshmem server alone, for a QEMU that somebody else starts.
 */

import { shellQuote } from '@qemu-tmem/qmp';
import type { Command } from 'commander';
import { ExitCode } from '../../errors.js';
import { TmemServer } from '../../session/server.js';
import type { Context, Runner } from '../context.js';
import { addStoreOptions, type StoreFlags, storeOptions } from '../options.js';

interface ServeFlags extends StoreFlags {
  socket: string;
  json?: true;
}

async function serve(flags: ServeFlags, context: Context): Promise<number> {
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
    .requiredOption('--socket <path>', 'UNIX socket for QEMU to connect to')
    .option('--json', 'print the arguments QEMU needs as one JSON object');
  addStoreOptions(command).action((flags: ServeFlags) =>
    run(flags, (context) => serve(flags, context)),
  );
}
