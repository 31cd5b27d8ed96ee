/**
 * Where each of the README's commands runs: in `npm test`, in `npm run test:readme`, or not at all,
 * and why. A command that is not here fails a test.
 */
export type Where = 'fast' | 'slow' | { readonly not: string };

export const CASES: readonly { readonly command: RegExp; readonly where: Where }[] = [
  { command: /^npm start$/, where: 'slow' },
  { command: /^npm test$/, where: { not: 'it is what runs this' } },
  { command: /^npx tmem run -- 'cat \/proc\/swaps; storm /, where: 'fast' },
  { command: /^npx tmem run --mem 512 .*--root host -- stress-ng/, where: 'slow' },
  { command: /^npx tmem run --kernel \. --with \.\/my-test/, where: 'slow' },
  { command: /^npx tmem storm --kernel source-\S+ --patch my-swap-work.patch/, where: 'slow' },
  { command: /^npx tmem storm --(quota|policy) /, where: 'slow' },
  { command: /^npx tmem storm --kernel debian-/, where: 'slow' },
  { command: /^npm run (matrix|promises)\b/, where: 'slow' },
  { command: /^npm run prove -- simulator /, where: 'slow' },
  { command: /^npx tmem run --kernel source-5.10-cleancache /, where: 'slow' },
  { command: /^npx tmem storm --transport virtio-serial /, where: 'slow' },
  { command: /^npx tmem run -- 'p=\$\(tmemctl new-pool /, where: 'fast' },
  { command: /^npx tmem serve --socket \/tmp\/tmem.sock$/, where: 'fast' },
  { command: /^make -C guest-kmod KDIR=\/path\/to\/kernel\/build$/, where: 'fast' },
  { command: /^npx tmem run --dry-run --files hand /, where: 'fast' },
  { command: /^npx tmem serve --socket hand\/store.sock$/, where: 'fast' },
  { command: /^sh hand.sh$/, where: 'fast' },
  { command: /^npx tmem run --gdb 1234 /, where: 'fast' },
];

export function whereOf(command: string): Where | undefined {
  return CASES.find((one) => one.command.test(command))?.where;
}
