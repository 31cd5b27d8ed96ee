// qmp-types: writes TypeScript types for the QMP of a given QEMU. It asks a running QEMU
// (--socket), starts one without a machine (--binary), or reads a saved answer (--schema). A QEMU
// it starts is gone before it ends. Exit codes: 0 written, 1 failed, 2 wrong use.

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { QmpClient } from '../client.js';
import { Machine } from '../machine/machine.js';
import { BINARY_DEFAULT } from '../machine/spec.js';
import { parseAddress } from '../transport.js';
import { generateTypes } from './generate.js';
import { readSchema } from './introspection.js';

const USAGE = `Usage: qmp-types [options]
  --socket ADDRESS  ask a running QEMU: a path, HOST:PORT
  --binary QEMU     start this QEMU and ask it (default ${BINARY_DEFAULT})
  --schema FILE     read a saved answer of query-qmp-schema ("-" is standard input)
  --name NAME       name of the exported interface (default QemuSchema)
  --output FILE     where to write (default standard output)
  --raw             write the schema as JSON instead of types
  --help            this text
`;

interface Answer {
  readonly schema: unknown;
  readonly origin: string;
}

async function ask(client: QmpClient): Promise<Answer> {
  const schema = await client.execute('query-qmp-schema', undefined, { timeoutMs: 30_000 });
  const { major, minor, micro } = client.greeting.version.qemu;
  return { schema, origin: `QEMU ${major}.${minor}.${micro}` };
}

async function askBinary(binary: string): Promise<Answer> {
  const logDir = fs.mkdtempSync(path.join(os.tmpdir(), 'qmp-types-'));
  try {
    await using machine = await Machine.launch({
      binary,
      logDir,
      machine: 'none',
      defaults: false,
      userConfig: false,
    });
    return await ask(machine.qmp);
  } finally {
    fs.rmSync(logDir, { recursive: true, force: true });
  }
}

async function askSocket(address: string): Promise<Answer> {
  await using client = await QmpClient.connect(parseAddress(address));
  return await ask(client);
}

function readSaved(file: string): Answer {
  const saved: unknown = JSON.parse(fs.readFileSync(file === '-' ? 0 : file, 'utf8'));
  const wrapped = typeof saved === 'object' && saved !== null && 'return' in saved;
  return { schema: wrapped ? saved.return : saved, origin: `a saved schema` };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string' },
      binary: { type: 'string', default: BINARY_DEFAULT },
      schema: { type: 'string' },
      name: { type: 'string', default: 'QemuSchema' },
      output: { type: 'string' },
      raw: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  let answer: Answer;
  if (values.schema !== undefined) answer = readSaved(values.schema);
  else if (values.socket !== undefined) answer = await askSocket(values.socket);
  else answer = await askBinary(values.binary);
  const text = values.raw
    ? `${JSON.stringify(answer.schema)}\n`
    : generateTypes(readSchema(answer.schema), { name: values.name, origin: answer.origin });
  if (values.output === undefined) process.stdout.write(text);
  else fs.writeFileSync(values.output, text);
}

try {
  await main();
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: string }).code ?? '';
  const wrongUse = code.startsWith('ERR_PARSE_ARGS') || code === 'QMP_BAD_ARGUMENT';
  process.stderr.write(`qmp-types: ${text}\n${wrongUse ? USAGE : ''}`);
  process.exitCode = wrongUse ? 2 : 1;
}
