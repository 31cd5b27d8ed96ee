/**
 * Parameters for a kernel module, looked up in the module itself: the kernel only logs one that it
 * does not know, and loads the module without it.
 */
import { ImagesError } from '../errors.js';
import { didYouMean } from '../suggest.js';
import { readModuleInfo } from './modinfo.js';

/** Parameters of the kernel's own, which every module has (kernel/module). */
const OF_EVERY_MODULE: readonly string[] = ['dyndbg', 'async_probe'];

/** Errors: MODULE_PARAMETER_UNKNOWN when one of `name=value` is not the module's. */
export async function checkParameters(path: string, settings: readonly string[]): Promise<void> {
  if (settings.length === 0) return;
  const { name, parameters } = await readModuleInfo(path);
  for (const setting of settings) {
    // The kernel takes - for _ in a parameter's name.
    const wanted = setting.split('=')[0]!.replaceAll('-', '_');
    if (parameters.includes(wanted) || OF_EVERY_MODULE.includes(wanted)) continue;
    throw new ImagesError(
      'MODULE_PARAMETER_UNKNOWN',
      `${name}.ko has no parameter ${JSON.stringify(wanted)}${didYouMean(wanted, parameters) || ';'} ` +
        `it has ${[...parameters].sort().join(', ')}`,
    );
  }
}
