/**
 * Which ways a guest's pages take into the module: its front ends, and the kernels that have the
 * hook for each.
 *
 * guest-kmod/Kbuild decides the same from the same options when it builds the module.
 */
import type { Kernel } from '../../images/index.js';
import { TmemError } from '../errors.js';

/**
 * `frontswap`: the hooks of Linux up to 6.5. `zswap`: in the place of zswap's functions, from 6.9 on.
 * `block`: an ordinary swap device, any kernel. `cleancache`: clean pages of files, up to 5.16; it
 * takes no swapped pages and goes with any of the others. `none`: the module alone, for programs
 * that use /dev/tmem.
 */
export type FrontEnd = 'frontswap' | 'zswap' | 'block' | 'cleancache' | 'none';

/** `auto` is the kernel's swap hook. Names with commas between take several. */
export type FrontEndChoice = 'auto' | FrontEnd | (string & {});

const NAMES: readonly (FrontEnd | 'auto')[] = [
  'auto',
  'frontswap',
  'zswap',
  'block',
  'cleancache',
  'none',
];

/** Those that pages come through: all but cleancache are a swap storm's. */
export const FRONT_ENDS_STORMED: readonly FrontEnd[] = [
  'frontswap',
  'zswap',
  'block',
  'cleancache',
];

type KernelFacts = Pick<Kernel, 'name' | 'release' | 'config'>;

/** The hook that the kernel's swap path has for us. */
function swapHook({ config }: KernelFacts): 'frontswap' | 'zswap' | undefined {
  if (config.get('FRONTSWAP') === 'y') return 'frontswap';
  return config.get('ZSWAP') === 'y' ? 'zswap' : undefined;
}

/** Why the kernel cannot have the front end; undefined when it can. */
function obstacle(kernel: KernelFacts, frontEnd: FrontEnd): string | undefined {
  const hook = swapHook(kernel);
  if (frontEnd === 'frontswap' && hook !== 'frontswap') {
    return 'it has no frontswap (CONFIG_FRONTSWAP, which Linux lost in 6.6)';
  }
  if (frontEnd === 'zswap' && hook === 'frontswap') {
    return 'it has frontswap, through which its zswap is called; use that';
  }
  if (frontEnd === 'zswap' && hook === undefined) return 'it is built without CONFIG_ZSWAP';
  if (frontEnd === 'cleancache' && kernel.config.get('CLEANCACHE') !== 'y') {
    return 'it is built without CONFIG_CLEANCACHE, which Linux lost in 5.17';
  }
  return undefined;
}

function parse(name: string): FrontEnd | 'auto' {
  const known = NAMES.find((one) => one === name);
  if (known !== undefined) return known;
  throw new TmemError(
    'OPTION_INVALID',
    `there is no front end ${JSON.stringify(name)}: give one of ${NAMES.join(', ')}, or several ` +
      'with commas between',
  );
}

/**
 * The front ends that a kernel gets, each once, in the order asked for.
 * @throws TmemError (FRONT_END_UNSUPPORTED) naming what the kernel lacks; (OPTION_INVALID)
 */
export function chooseFrontEnds(kernel: KernelFacts, choice: FrontEndChoice): FrontEnd[] {
  const auto = swapHook(kernel) ?? 'block';
  const chosen = new Set(
    choice.split(',').map((text) => {
      const name = parse(text);
      return name === 'auto' ? auto : name;
    }),
  );
  if (chosen.has('none') && chosen.size > 1) {
    throw new TmemError('OPTION_INVALID', `--front-end ${choice}: none goes with no other`);
  }
  for (const frontEnd of chosen) {
    const why = obstacle(kernel, frontEnd);
    if (why === undefined) continue;
    throw new TmemError(
      'FRONT_END_UNSUPPORTED',
      `${kernel.name} (${kernel.release}) cannot have the front end ${frontEnd}: ${why}; ` +
        `without --front-end it gets ${auto}`,
    );
  }
  return [...chosen];
}

/**
 * Words of the kernel command line that keep zswap from frontswap's only place at boot; a name that
 * the kernel lacks does no harm.
 */
export function hookArguments(kernel: KernelFacts): string[] {
  return swapHook(kernel) === 'frontswap' ? ['initcall_blacklist=init_zswap,zswap_init'] : [];
}
