/**
 * `tmem completion SHELL`: a script for bash or zsh that completes commands, options and their
 * values, made from the commands as they are.
 */
import { Argument, type Command, type Option } from 'commander';
import { kernelCatalogue } from '../../../images/index.js';
import { ExitCode } from '../../errors.js';
import type { Runner } from '../context.js';

/** Values of options that commander does not know to be a choice. */
function valuesOf(option: Option): readonly string[] {
  if (option.argChoices !== undefined) return option.argChoices;
  if (option.long === '--kernel' || option.long === '--kernels') {
    return kernelCatalogue().map(({ name }) => name);
  }
  return [];
}

function namesOf(option: Option): string[] {
  return [option.short, option.long].filter((name) => name !== undefined);
}

/** `case` branches: what comes after an option that takes a value. */
function valueCases(options: readonly Option[]): string[] {
  return options
    .filter((option) => option.required)
    .map((option) => {
      const values = valuesOf(option);
      const words = values.length === 0 ? 'files=1' : `words='${values.join(' ')}'`;
      return `        ${namesOf(option).join('|')}) ${words}; return ;;`;
    });
}

function commandCase(command: Command): string[] {
  const options = command.options.filter((option) => !option.hidden);
  const names = options.map((option) => option.long ?? option.short).join(' ');
  const choices = command.registeredArguments[0]?.argChoices;
  const rest = choices === undefined ? 'files=1' : `words='${choices.join(' ')}'`;
  return [
    `    ${command.name()})`,
    '      case "$2" in',
    ...valueCases(options),
    '      esac',
    `      case "$3" in -*) words='${names} --help' ;; *) ${rest} ;; esac ;;`,
  ];
}

/** Sets `words` to what may come after the words before, or `files` when that is a file's name. */
function matcher(program: Command): string {
  const commands = program.commands.map((command) => command.name());
  return [
    '# COMMAND, the word before, the word that is being typed',
    '_tmem_words() {',
    "  words='' files=''",
    '  case "$1" in',
    `    '') words='${[...commands, 'help', '--version', '--help'].join(' ')}' ;;`,
    `    help) words='${commands.join(' ')}' ;;`,
    ...program.commands.flatMap(commandCase),
    '    *) files=1 ;;',
    '  esac',
    '}',
    '',
  ].join('\n');
}

const BASH = `_tmem() {
  local words files command='' typed="\${COMP_WORDS[COMP_CWORD]}"
  [ "$COMP_CWORD" -gt 1 ] && command="\${COMP_WORDS[1]}"
  local word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do [ "$word" = -- ] && command=--; done
  _tmem_words "$command" "\${COMP_WORDS[COMP_CWORD-1]}" "$typed"
  if [ -n "$files" ]; then COMPREPLY=($(compgen -f -- "$typed"))
  else COMPREPLY=($(compgen -W "$words" -- "$typed")); fi
}
complete -o filenames -F _tmem tmem
`;

const ZSH = `_tmem() {
  local words_before=("\${(@)words[2,CURRENT-1]}") typed="\${words[CURRENT]}" command=''
  (( CURRENT > 2 )) && command="\${words[2]}"
  (( \${words_before[(Ie)--]} )) && command=--
  local previous="\${words[CURRENT-1]}"
  () {
    local words files
    _tmem_words "$command" "$previous" "$typed"
    if [[ -n "$files" ]]; then _files; else compadd -- \${=words}; fi
  }
}
compdef _tmem tmem
`;

/** The script for a shell. */
export function completionScript(program: Command, shell: string): string {
  if (shell === 'zsh') return `#compdef tmem\n${matcher(program)}${ZSH}`;
  return `${matcher(program)}${BASH}`;
}

export function addCompletionCommand(program: Command, run: Runner): void {
  program
    .command('completion')
    .description('print a completion script: eval "$(tmem completion bash)"')
    .addArgument(new Argument('<shell>', 'whose').choices(['bash', 'zsh']))
    .action((shell: string) =>
      run(async () => {
        process.stdout.write(completionScript(program, shell));
        return ExitCode.OK;
      }),
    );
}
