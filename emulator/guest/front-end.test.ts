/** Which front end a kernel gets, and why it cannot have another. */
import { describe, expect, it } from 'vitest';
import { chooseFrontEnds, hookArguments } from './front-end.js';

function kernel(release: string, ...options: string[]) {
  return { name: 'k', release, config: new Map(options.map((option) => [option, 'y'])) };
}

const OLD = kernel('6.1.0', 'FRONTSWAP', 'ZSWAP');
const NEW = kernel('6.12.0', 'ZSWAP');
const FIVE = kernel('5.10.0', 'FRONTSWAP', 'CLEANCACHE');
const BARE = kernel('6.12.0');

describe('the front end of a kernel', () => {
  it('is its swap hook, or the block device where it has none', () => {
    expect(chooseFrontEnds(OLD, 'auto')).toEqual(['frontswap']);
    expect(chooseFrontEnds(NEW, 'auto')).toEqual(['zswap']);
    expect(chooseFrontEnds(BARE, 'auto')).toEqual(['block']);
    expect(chooseFrontEnds(BARE, 'block')).toEqual(['block']);
    expect(chooseFrontEnds(OLD, 'none')).toEqual(['none']);
  });

  it('may be several, each once', () => {
    expect(chooseFrontEnds(FIVE, 'frontswap,cleancache')).toEqual(['frontswap', 'cleancache']);
    expect(chooseFrontEnds(FIVE, 'auto,cleancache,frontswap')).toEqual(['frontswap', 'cleancache']);
    expect(chooseFrontEnds(FIVE, 'cleancache')).toEqual(['cleancache']);
    for (const wrong of ['none,block', 'frontswap,', 'swap']) {
      expect(() => chooseFrontEnds(FIVE, wrong)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
    }
  });

  it.each([
    [NEW, 'frontswap', /CONFIG_FRONTSWAP, which Linux lost in 6.6/],
    [OLD, 'zswap', /it has frontswap/],
    [OLD, 'auto,cleancache', /without CONFIG_CLEANCACHE, which Linux lost in 5.17/],
    [BARE, 'zswap', /without CONFIG_ZSWAP.*gets block/],
  ] as const)('that it cannot have is refused by name', (which, choice, reason) => {
    expect(() => chooseFrontEnds(which, choice)).toThrow(reason);
    expect(() => chooseFrontEnds(which, choice)).toThrow(
      expect.objectContaining({ code: 'FRONT_END_UNSUPPORTED' }),
    );
  });

  it('keeps zswap from frontswap’s place, and leaves a kernel without frontswap alone', () => {
    expect(hookArguments(OLD)).toEqual(['initcall_blacklist=init_zswap,zswap_init']);
    expect(hookArguments(NEW)).toEqual([]);
  });
});
