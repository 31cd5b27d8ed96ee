/** What a caller may name as a mirror, and when lists that have run out are taken. */
import { describe, expect, it, test } from 'vitest';
import { checkMirror, mayHaveRunOut, PrivateApt, sourcesList } from './apt.js';

describe('a mirror', () => {
  it.each([
    'http://mirror.example/debian',
    'https://user@mirror.example:8080/debian/',
    'http://[2001:db8::1]/debian',
    'file:///srv/mirror/debian',
  ])('may be %s', (mirror) => {
    expect(() => checkMirror(mirror)).not.toThrow();
  });

  it.each([
    'http://a.example/debian\ndeb http://evil.example/ x main',
    'http://a.example/debian x main #',
    'http://a.example/"; APT::Update::Pre-Invoke {"id";};',
    "http://a.example/'",
    'http://a.example/%0adeb',
    'http://a.example/#x',
    'http://a.example/?x',
    'http://a.example/\t',
    'http:a.example',
    'ftp://a.example/debian',
    'cdrom:[x]/',
    'copy:///etc',
    'a.example/debian',
    'http://',
    '',
  ])('may not be %j', async (mirror) => {
    const refusal = expect.objectContaining({ code: 'MIRROR_INVALID' });
    expect(() => checkMirror(mirror)).toThrow(refusal);
    if (mirror === '') return;
    const options = { dir: '/nowhere/apt', suite: 'bookworm', mirror, progress: () => {} };
    await expect(PrivateApt.open(options)).rejects.toMatchObject({ code: 'MIRROR_INVALID' });
  });
});

test.each(['/tmp/a"b', '/tmp/a\nb', '/tmp/a\\b'])('apt does not work in %j', async (dir) => {
  const options = { dir, suite: 'bookworm', mirror: 'http://a.example/', progress: () => {} };
  await expect(PrivateApt.open(options)).rejects.toThrow(/without quotes/);
});

describe('lists that have run out', () => {
  const said =
    'E: Release file for http://a.example/debian/dists/S-updates/InRelease is expired ' +
    '(invalid since 61d 3h 2min 5s). Updates for this repository will not be applied.';

  it('are taken of an archived suite alone, and only when they have', () => {
    expect(mayHaveRunOut('bullseye', said)).toBe(true);
    expect(mayHaveRunOut('bookworm', said)).toBe(false);
    expect(mayHaveRunOut('trixie-backports', said)).toBe(false);
    expect(mayHaveRunOut('bullseye', 'E: Failed to fetch ... 404 Not Found')).toBe(false);
  });

  it('are asked for by name', () => {
    const sites = { main: 'http://a.example/debian', security: undefined };
    expect(sourcesList(sites, 'bullseye')).not.toContain('valid');
    const taken = sourcesList({ ...sites, expired: true }, 'bullseye');
    expect(taken.match(/ check-valid-until=no\]/g)).toHaveLength(2);
  });
});
