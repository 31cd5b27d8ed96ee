// The bin `qmp`: the shell on this process's own streams.

import { runShell } from './shell.js';

process.exitCode = await runShell(process.argv.slice(2));
// Input that nobody reads any more would hold the process.
process.stdin.destroy();
