/**
 * A server in a process of its own, for one who wants to take its descriptors away, or to stop it.
 * Obeys orders one at a time, and tells events as they come.
 */
import { closeSync, openSync, readdirSync } from 'node:fs';
import type { StoreStats } from '../../../emulator/session/messages.js';
import { TmemServer, type TmemServerOptions } from '../../../emulator/session/server.js';

export type HostOrder =
  /** Gives an error's code and message, or none. */
  | { readonly do: 'start'; readonly options: TmemServerOptions }
  | { readonly do: 'stop' }
  | { readonly do: 'stats' }
  /** Opens as many files as there can be, and closes so many of them. */
  | { readonly do: 'fill'; readonly left: number }
  | { readonly do: 'free' }
  | { readonly do: 'look' };

export interface HostState {
  readonly descriptors: number;
  readonly storePids: number[];
  readonly stats?: StoreStats;
  readonly code?: string;
}

export type HostMessage = { readonly event: string } | { readonly state: HostState };

let server: TmemServer | undefined;
const held: number[] = [];

function tell(message: HostMessage): void {
  process.send?.(message);
}

function fill(left: number): void {
  try {
    for (;;) held.push(openSync('/dev/null', 'r'));
  } catch {
    for (const fd of held.splice(0, left)) closeSync(fd);
  }
}

async function start(options: TmemServerOptions): Promise<string | undefined> {
  try {
    server = await TmemServer.start({ ...options, onEvent: (event) => tell({ event }) });
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

async function obey(order: HostOrder): Promise<Partial<HostState>> {
  switch (order.do) {
    case 'start': {
      const code = await start(order.options);
      return code === undefined ? {} : { code };
    }
    case 'stop':
      await server?.[Symbol.asyncDispose]();
      server = undefined;
      return {};
    case 'stats':
      return { stats: await server!.stats() };
    case 'fill':
      fill(order.left);
      return {};
    case 'free':
      for (const fd of held.splice(0)) closeSync(fd);
      return {};
    case 'look':
      return {};
  }
}

/** Reading the folder takes a descriptor itself; where there is none the number is not known. */
function descriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length - held.length;
  } catch {
    return -1;
  }
}

process.on('message', async (order: HostOrder) => {
  const answer = await obey(order);
  const storePids = server?.storePids ?? [];
  tell({ state: { descriptors: descriptors(), storePids, ...answer } });
});
process.on('disconnect', () => process.exit(0));
