/**
 * The host's end against agents that a guest has replaced: whatever they send, each call settles,
 * and the memory that they can make this process take is bounded.
 */
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { FakeAgent, type FakeSession } from '../testing/fake-agent.js';
import { type ExecResult, GuestAgent } from './agent.js';
import { COMMANDS_MAX, FRAME_PAYLOAD_MAX, FrameType, OUTPUT_WINDOW } from './frames.js';

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** Connects to an agent that answers the first EXEC with `answer`. */
async function against(answer: (session: FakeSession, id: number) => void): Promise<{
  fake: FakeAgent;
  agent: GuestAgent;
}> {
  const fake = await FakeAgent.listen((session) => {
    session.onFrame = (type, id) => {
      if (type === FrameType.EXEC) answer(session, id);
    };
  });
  return { fake, agent: await GuestAgent.connect({ path: fake.path, timeoutMs: 10_000 }) };
}

const endless = (): Readable => new Readable({ read() {} });

const WRONG: [string, (session: FakeSession, id: number) => void][] = [
  ['an EXIT of 3 bytes', (s, id) => s.send(FrameType.EXIT, id, Buffer.alloc(3))],
  ['an EXIT of 5 bytes', (s, id) => s.send(FrameType.EXIT, id, Buffer.alloc(5))],
  ['a credit of no bytes', (s, id) => s.send(FrameType.STDIN_CREDIT, id, Buffer.alloc(0))],
  ['credit for stdin not sent', (s, id) => s.send(FrameType.STDIN_CREDIT, id, u32(0xffffffff))],
  ['an empty piece of output', (s, id) => s.send(FrameType.STDOUT, id, Buffer.alloc(0))],
  ['a refusal of 64 KiB', (s, id) => s.send(FrameType.FAILED, id, Buffer.alloc(65_536, 'x'))],
  ['a frame of the host’s', (s, id) => s.send(FrameType.EXEC, id, Buffer.alloc(16))],
  ['a type that is none', (s, id) => s.send(0xdeadbeef, id, Buffer.alloc(4))],
  ['a second HELLO', (s) => s.send(FrameType.HELLO, 0, Buffer.from('x'.repeat(40)))],
  ['a frame for nobody', (s, id) => s.send(FrameType.EXIT, id + 1, u32(0))],
  ['a length over the bound', (s, id) => s.sendRaw(FrameType.STDOUT, id, 0xffffffff, u32(1))],
  [
    'an end, and then more',
    (s, id) => {
      s.send(FrameType.STDIN_CREDIT, id, u32(1));
      s.send(FrameType.EXIT, id, u32(0));
    },
  ],
];

test.each(WRONG)('%s ends every call, with a code', async (_name, answer) => {
  const { fake, agent } = await against((session, id) => {
    if (id === 2) answer(session, id);
  });
  await using _fake = fake;
  const bystander = agent.exec('sleep', { stdin: endless() });
  const victim = agent.exec('true');
  for (const call of [bystander, victim]) {
    await expect(call).rejects.toMatchObject({ code: 'AGENT_PROTOCOL' });
  }
  await agent.closed;
  expect(() => agent.spawn('true')).toThrow(expect.objectContaining({ code: 'AGENT_PROTOCOL' }));
});

test('output beyond the window is cut off before it is kept', async () => {
  let sent = 0;
  const { fake, agent } = await against((session, id) => {
    session.socket.on('drain', () => flood());
    const flood = (): void => {
      while (!session.socket.destroyed && session.socket.writableLength < 1024 * 1024) {
        session.send(FrameType.STDOUT, id, Buffer.alloc(FRAME_PAYLOAD_MAX));
        sent += FRAME_PAYLOAD_MAX;
      }
    };
    flood();
  });
  await using _fake = fake;
  const child = agent.spawn('yes');
  // Nobody reads, so there is no credit beyond the first.
  const most = new Promise<number>((resolve) => {
    let length = 0;
    const push = child.stdout.push.bind(child.stdout);
    child.stdout.push = (chunk) => {
      length += (chunk as Buffer | null)?.length ?? 0;
      return push(chunk);
    };
    child.stdout.once('close', () => resolve(length));
  });
  await expect(child.exit).rejects.toMatchObject({
    code: 'AGENT_PROTOCOL',
    message: expect.stringContaining('with credit for 0'),
  });
  expect(await most).toBe(OUTPUT_WINDOW);
  expect(sent).toBeGreaterThan(OUTPUT_WINDOW);
});

test('an agent of another version, or none at all, is no agent', async () => {
  const release = '6.1.0';
  const hellos = ['{}', 'nonsense', JSON.stringify({ release, agentVersion: 1 }), 'null'];
  hellos.push(JSON.stringify({ release: 'a\u001b[2Jb', agentVersion: 2 }));
  for (const hello of hellos) {
    await using fake = await FakeAgent.listen(() => {}, hello);
    await expect(GuestAgent.connect({ path: fake.path })).rejects.toMatchObject({
      code: 'AGENT_PROTOCOL',
    });
  }
});

test('a refusal says what the guest said, but for what a terminal obeys', async () => {
  const { fake, agent } = await against((session, id) =>
    session.send(FrameType.FAILED, id, Buffer.from('no \u001b[2Jroom')),
  );
  await using _fake = fake;
  const error = await agent.exec('true').catch((reason: Error) => reason);
  expect(error).toMatchObject({ code: 'AGENT_REFUSED', message: /refused: no \?\[2Jroom$/ });
  await agent.close();
});

test('commands that never end are counted, and refused in the end', async () => {
  const { fake, agent } = await against(() => {});
  await using _fake = fake;
  const children = Array.from({ length: 2 * COMMANDS_MAX }, () => agent.spawn('sleep'));
  expect(() => agent.spawn('sleep')).toThrow(expect.objectContaining({ code: 'AGENT_REFUSED' }));
  await agent.close();
  for (const child of children) {
    await expect(child.exit).rejects.toMatchObject({ code: 'AGENT_GONE' });
  }
});

test('a call settles on abort and on close, also when its output waits for a reader', async () => {
  const ended = (session: FakeSession, id: number): void => {
    session.send(FrameType.STDOUT, id, Buffer.from('some'));
    session.send(FrameType.EXIT, id, u32(0));
  };
  const { fake, agent } = await against((session, id) => id === 1 && ended(session, id));
  await using _fake = fake;
  const stop = new AbortController();
  const stuck = agent.exec('echo', {
    signal: stop.signal,
    onStdout: () => {
      setImmediate(() => stop.abort(new Error('enough')));
      return new Promise(() => {});
    },
  });
  await expect(stuck).rejects.toThrow('enough');
  await expect(agent.exec('sleep', { timeoutMs: 20 })).rejects.toMatchObject({
    code: 'AGENT_TIMEOUT',
  });
  const open = agent.exec('sleep', { stdin: endless() });
  await Promise.all([agent.close(), expect(open).rejects.toMatchObject({ code: 'AGENT_GONE' })]);
});

test('what a callback throws, and input that cannot be read, end their call alone', async () => {
  const { fake, agent } = await against((session, id) => {
    session.send(FrameType.STDOUT, id, Buffer.from('some'));
    if (id === 3) session.send(FrameType.EXIT, id, u32(6));
  });
  await using _fake = fake;
  const throwing = agent.exec('echo', {
    onStdout: () => {
      throw new Error('of the caller');
    },
  });
  await expect(throwing).rejects.toThrow('of the caller');
  const stdin = new Readable({ read: () => stdin.destroy(new Error('unreadable')) });
  await expect(agent.exec('cat', { stdin })).rejects.toThrow('unreadable');
  expect(await agent.exec('exit 6')).toMatchObject({ code: 6, stdout: 'some' });
  await agent.close();
});

test('an input that goes on is let go when the command ends', async () => {
  const { fake, agent } = await against((session, id) => session.send(FrameType.EXIT, id, u32(0)));
  await using _fake = fake;
  const silent = endless();
  const flood = new Readable({ read: () => void flood.push(Buffer.alloc(65_536)) });
  const closed = (stdin: Readable) => new Promise((resolve) => stdin.once('close', resolve));
  for (const stdin of [silent, flood]) {
    const letGo = closed(stdin);
    expect((await agent.exec('true', { stdin })).code).toBe(0);
    await letGo;
  }
  await agent.close();
});

/** Numbers that are the same each time (Numerical Recipes' generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/**
 * Sends frames until it is cut off or has sent `count`: most of them right, so that sessions live,
 * some wrong in one way.
 * @returns how many
 */
function misbehave(session: FakeSession, seed: number, count: number): number {
  const next = numbers(seed);
  const types = [...Object.values(FrameType), 0, 22, 0xffffffff];
  // Rare in some sessions, so that those come to their ends.
  const wrongOneIn = [3, 30, 300, 3000][seed % 4]!;
  let sent = 0;
  for (; sent < count && !session.socket.destroyed; sent += 1) {
    const id = 1 + next(4);
    const wrong = next(wrongOneIn) === 0;
    const kind = next(wrong ? 5 : 2);
    if (!wrong) session.send(FrameType.STDOUT + kind, id, Buffer.alloc(1 + next(40)));
    else if (kind === 0) session.send(types[next(types.length)]!, id, Buffer.alloc(next(9)));
    else if (kind === 1) session.send(FrameType.EXIT, next(6), u32(next(300)));
    else if (kind === 2) session.send(FrameType.STDIN_CREDIT, id, u32(next(2) * next(2 ** 32)));
    else if (kind === 3) session.send(FrameType.FAILED, id, Buffer.alloc(next(600), 'w'));
    else session.sendRaw(FrameType.STDOUT, id, next(2 ** 32), Buffer.alloc(next(64)));
  }
  session.socket.end();
  return sent;
}

test('of 100,000 frames, many of them wrong, none leaves a call open', async () => {
  const codes = new Map<string, number>();
  let frames = 0;
  let seed = 0;
  await using fake = await FakeAgent.listen((session) => {
    let commands = 0;
    session.onFrame = (type) => {
      if (type !== FrameType.EXEC) return;
      commands += 1;
      if (commands === 4) frames += misbehave(session, seed, 2000);
    };
  });
  for (; frames < 100_000; seed += 1) {
    const agent = await GuestAgent.connect({ path: fake.path, timeoutMs: 10_000 });
    const calls = [{}, { stdin: 'x'.repeat(100_000) }, { stdin: endless() }, { timeoutMs: 10_000 }];
    const settled = await Promise.allSettled(
      calls.map((options): Promise<ExecResult> => agent.exec('true', options)),
    );
    await agent.closed;
    for (const one of settled) {
      const code = one.status === 'fulfilled' ? 'ended' : (one.reason as { code: string }).code;
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  }
  expect([...codes.keys()].sort()).toEqual([
    'AGENT_GONE',
    'AGENT_PROTOCOL',
    'AGENT_REFUSED',
    'ended',
  ]);
});
