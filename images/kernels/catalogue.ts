/**
 * The kernels known by name. An entry says where each comes from; nothing is downloaded here.
 */

interface Entry {
  /** The name given to `ensureKernel`. */
  readonly name: string;
  /** One line for a person choosing. */
  readonly summary: string;
  /** Debian suite whose archive holds the packages. */
  readonly suite: string;
}

/** A kernel as Debian ships it. */
export interface PackagedKernel extends Entry {
  readonly kind: 'package';
  /** Package that depends on the newest versioned kernel image. */
  readonly imagePackage: string;
}

/** A small kernel that is built here, from Debian's source package. */
export interface SourceKernel extends Entry {
  readonly kind: 'source';
  /** Holds the source, or depends on the package that does. */
  readonly sourcePackage: string;
  /** Files of configs/, over tinyconfig, later ones over earlier. */
  readonly fragments: readonly string[];
  /** About how long the first build takes on two cores. */
  readonly buildMinutes: number;
}

export type KernelEntry = PackagedKernel | SourceKernel;

const ENTRIES: readonly KernelEntry[] = [
  {
    kind: 'package',
    name: 'debian-6.1',
    summary: 'the stock kernel of Debian 12: frontswap, taken over from zswap at boot',
    suite: 'bookworm',
    imagePackage: 'linux-image-amd64',
  },
  {
    kind: 'package',
    name: 'debian-5.10',
    summary: 'the stock cloud kernel of Debian 11: frontswap with exports',
    suite: 'bullseye',
    imagePackage: 'linux-image-cloud-amd64',
  },
  {
    kind: 'package',
    name: 'debian-6.12',
    summary: 'the stock kernel of Debian 13, as Debian 12 has it: no frontswap, the zswap hook',
    suite: 'bookworm',
    imagePackage: 'linux-image-6.12-amd64',
  },
  {
    kind: 'source',
    name: 'source-6.1',
    summary: 'a small 6.1: frontswap; takes --patch',
    suite: 'bookworm',
    sourcePackage: 'linux-source-6.1',
    fragments: ['guest.config'],
    buildMinutes: 6,
  },
  {
    kind: 'source',
    name: 'source-6.12',
    summary: 'a small 6.12: the zswap hook; takes --patch',
    suite: 'bookworm',
    sourcePackage: 'linux-source-6.12',
    fragments: ['guest.config'],
    buildMinutes: 7,
  },
  {
    kind: 'source',
    name: 'source-backports',
    summary: 'a small one of the newest that Debian 13 backports: the zswap hook; takes --patch',
    suite: 'trixie-backports',
    sourcePackage: 'linux-source',
    fragments: ['guest.config'],
    buildMinutes: 8,
  },
  {
    kind: 'source',
    name: 'source-6.1-debug',
    summary: '6.1 with KASAN, lockdep, DEBUG_ATOMIC_SLEEP and UBSAN: slow, and loud; takes --patch',
    suite: 'bookworm',
    sourcePackage: 'linux-source-6.1',
    fragments: ['guest.config', 'debug.config'],
    buildMinutes: 10,
  },
  {
    kind: 'source',
    name: 'source-5.10-cleancache',
    summary: 'a small 5.10: frontswap and cleancache; takes --patch',
    suite: 'bullseye',
    sourcePackage: 'linux-source-5.10',
    fragments: ['guest.config', 'cleancache.config'],
    buildMinutes: 6,
  },
  {
    kind: 'source',
    name: 'source-5.10-debug',
    summary: 'source-5.10-cleancache with KASAN, lockdep, DEBUG_ATOMIC_SLEEP and UBSAN: slow',
    suite: 'bullseye',
    sourcePackage: 'linux-source-5.10',
    fragments: ['guest.config', 'cleancache.config', 'debug.config'],
    buildMinutes: 10,
  },
];

/** All known kernels; the first is the default. */
export function kernelCatalogue(): KernelEntry[] {
  return ENTRIES.map((entry) => ({ ...entry }));
}
