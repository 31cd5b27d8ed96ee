/**
 * The kernels known by name. An entry says where the packages come from; nothing is downloaded
 * here.
 */

export interface KernelEntry {
  /** The name given to `ensureKernel`. */
  name: string;
  /** One line for a person choosing. */
  summary: string;
  /** Debian suite whose archive holds the packages. */
  suite: string;
  /** Package that depends on the newest versioned kernel image. */
  imagePackage: string;
}

const ENTRIES: readonly KernelEntry[] = [
  {
    name: 'debian-6.1',
    summary: 'the stock kernel of Debian 12: frontswap, taken over from zswap at boot',
    suite: 'bookworm',
    imagePackage: 'linux-image-amd64',
  },
];

/** All known kernels; the first is the default. */
export function kernelCatalogue(): KernelEntry[] {
  return ENTRIES.map((entry) => ({ ...entry }));
}
