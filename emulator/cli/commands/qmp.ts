/**
 * `tmem qmp SOCKET [COMMAND...]`: the QMP shell of `@qemu-tmem/qmp`, options and exit codes and
 * all.
 */
import { runShell } from '@qemu-tmem/qmp/shell';
import type { Command } from 'commander';

export function addQmpCommand(program: Command, finish: (outcome: Promise<number>) => void): void {
  program
    .command('qmp')
    .description('talk QMP to a QEMU: tmem qmp SOCKET [COMMAND [key=value...]]; tmem qmp --help')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[words...]', 'what the qmp shell takes')
    .action((words: string[]) => finish(runShell(words)));
}
