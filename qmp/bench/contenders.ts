// Those who race: this client, what npm has, and a bare socket that writes the same lines and
// counts the answers, which is the floor nobody can pass. What always holds: each sends the same
// commands to the same server and ends when the last answer is in; the npm clients are fetched for
// the race alone and are nobody's dependency.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ConnectOptions, QmpClient } from '../src/index.js';

export interface Racer {
  /** `count` commands, the next one when the answer to the last is in. */
  sequential(count: number): Promise<void>;
  /** `count` commands at once. */
  concurrent(count: number): Promise<void>;
  close(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  connect(socketPath: string): Promise<Racer>;
}

const COMMAND = 'query-status';
const IN_FLIGHT_OOB = 8;
const TIMEOUT_MS = 120_000;

export function ours(name: string, options: ConnectOptions): Contender {
  return {
    name,
    async connect(socketPath) {
      const limits = { commandTimeoutMs: TIMEOUT_MS };
      const client = await QmpClient.connect({ path: socketPath }, { ...options, ...limits });
      return {
        async sequential(count) {
          for (let done = 0; done < count; done += 1) await client.execute(COMMAND);
        },
        async concurrent(count) {
          await Promise.all(Array.from({ length: count }, () => client.execute(COMMAND)));
        },
        close: () => client.close(),
      };
    },
  };
}

/** Writes the lines ours does, looks for line feeds in what comes, parses nothing. */
export function bareSocket(oob: boolean): Contender {
  return {
    name: oob ? 'bare socket, oob' : 'bare socket',
    async connect(socketPath) {
      const socket = net.connect(socketPath);
      let answered = (): void => {};
      socket.on('data', (chunk: Buffer) => {
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) answered();
      });
      const next = () => new Promise<void>((resolve) => (answered = resolve));
      await next();
      const greeted = next();
      const enable = oob ? ',"arguments":{"enable":["oob"]}' : '';
      socket.write(`{"execute":"qmp_capabilities"${enable},"id":0}\n`);
      await greeted;
      const race = (count: number, window: number) =>
        new Promise<void>((resolve) => {
          let sent = Math.min(count, window);
          let done = 0;
          let id = 1;
          // As ours: no id for one alone.
          const send = () =>
            socket.write(
              window === 1
                ? `{"execute":"${COMMAND}"}\n`
                : `{"execute":"${COMMAND}","id":${id++}}\n`,
            );
          answered = () => {
            done += 1;
            if (done === count) resolve();
            else if (sent < count) {
              sent += 1;
              send();
            }
          };
          for (let index = 0; index < sent; index += 1) send();
        });
      return {
        sequential: (count) => race(count, 1),
        concurrent: (count) => race(count, oob ? IN_FLIGHT_OOB : count),
        async close() {
          socket.destroy();
          await once(socket, 'close');
        },
      };
    },
  };
}

/** The best on npm: typed and maintained; no ids, one command in flight. */
async function nodeQemu(folder: string): Promise<Contender> {
  const entry = path.join(folder, 'node_modules', 'node-qemu', 'dist', 'index.mjs');
  const { QMPClient } = await import(pathToFileURL(entry).href);
  return {
    name: 'npm: node-qemu',
    async connect(socketPath) {
      const client = new QMPClient({ socketPath });
      await client.connect();
      return {
        async sequential(count) {
          for (let done = 0; done < count; done += 1) await client.execute(COMMAND);
        },
        async concurrent(count) {
          await Promise.all(Array.from({ length: count }, () => client.execute(COMMAND)));
        },
        close: () => client.close(),
      };
    },
  };
}

/** The oldest on npm: callbacks, no ids; answers are taken in the order of the commands. */
async function qemuQmp(folder: string): Promise<Contender> {
  const entry = path.join(folder, 'node_modules', 'qemu-qmp', 'index.js');
  const { default: Qmp } = await import(pathToFileURL(entry).href);
  return {
    name: 'npm: qemu-qmp',
    async connect(socketPath) {
      const client = new Qmp();
      await new Promise((resolve, reject) => {
        client.connect(socketPath, (error: unknown) => (error ? reject(error) : resolve(null)));
      });
      const execute = () =>
        new Promise((resolve, reject) => {
          client.execute(COMMAND, (error: unknown, value: unknown) =>
            error ? reject(error) : resolve(value),
          );
        });
      return {
        async sequential(count) {
          for (let done = 0; done < count; done += 1) await execute();
        },
        async concurrent(count) {
          await Promise.all(Array.from({ length: count }, execute));
        },
        async close() {
          client.destroy();
        },
      };
    },
  };
}

/** Install the npm clients into `folder`; those that cannot be had are told and left out. */
export async function fromNpm(folder: string, tell: (line: string) => void): Promise<Contender[]> {
  const packages = [
    { spec: 'node-qemu@1.3.0', load: nodeQemu },
    { spec: 'qemu-qmp@0.5.0', load: qemuQmp },
  ];
  const found: Contender[] = [];
  fs.writeFileSync(path.join(folder, 'package.json'), '{"private": true}\n');
  for (const { spec, load } of packages) {
    try {
      const argv = ['install', '--ignore-scripts', '--no-audit', '--no-fund', spec];
      execFileSync('npm', argv, { cwd: folder, stdio: 'pipe', timeout: 60_000 });
      found.push(await load(folder));
    } catch (error) {
      tell(`${spec} is left out: ${String(error).split('\n')[0]}`);
    }
  }
  return found;
}
