/**
 * redis with more keys than the memory it gets holds. Every value is compared: when all are
 * written, when a third was written again while a forked child saved them, and in a server that
 * starts from what the child saved.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LARGE_GUESTS, smallGuests } from './guests.js';
import type { PeerCase } from './peer.js';
import { describeSuite } from './suite.js';

/** A value is 16,000 bytes, of which redis makes 16 KiB. */
const BYTES_PER_KEY = 16_384;
const STEP = 3;

function script(keys: number): string {
  const count = `COUNT=${keys}`;
  return `set -e; ${count}
cat >keys.lua
echo 1 >/proc/sys/vm/overcommit_memory
# redis-server by name: Debian's redis-tools holds the program without the service.
ln -s "$(command -v redis-check-rdb)" redis-server
cli() { redis-cli -s "$PWD/socket" "$@"; }
start() {
  ./redis-server --port 0 --unixsocket "$PWD/socket" --save '' --disable-thp no \\
    --lua-time-limit 0 --logfile "$PWD/log" "$@" &
  until [ "$(cli ping 2>/dev/null)" = PONG ]; do kill -0 $!; sleep 0.1; done
}
run() {
  want=$1; shift
  got=$(cli --eval keys.lua , "$@")
  [ "$got" = "$want" ] || { echo "keys $*: $got, not $want"; tail log; exit 1; }
}
start
run $COUNT put $COUNT 1 1
run $COUNT check $COUNT 1 1
cli bgsave
run $((COUNT / ${STEP})) put $COUNT ${STEP} 2
while cli info persistence | grep -q 'rdb_bgsave_in_progress:1'; do sleep 0.5; done
cli info persistence | grep 'rdb_last_bgsave_status:ok'
run $COUNT check $COUNT ${STEP} 2
cli shutdown nosave
wait
redis-check-rdb dump.rdb | grep 'RDB looks OK'
start
# As when the child was forked.
run $COUNT check $COUNT 1 1
cli shutdown nosave
wait
echo "every key was right"
`;
}

function redis(mib: number): PeerCase {
  const keys = Math.round((mib * 2 ** 20) / BYTES_PER_KEY / STEP) * STEP;
  return {
    name: `${keys} keys, ${mib} MiB`,
    script: script(keys),
    stdin: readFileSync(join(import.meta.dirname, 'scripts/keys.lua'), 'utf8'),
    putsMin: (mib * 256) / 2,
    says: /every key was right/,
  };
}

const options = { with: ['redis-check-rdb', 'redis-cli'] };

describeSuite({
  name: 'redis',
  guests: LARGE_GUESTS,
  options,
  cases: [{ ...redis(80), limitMib: 32 }],
});

describeSuite({
  name: 'redis',
  guests: smallGuests(160),
  options,
  cases: [redis(168)],
});
