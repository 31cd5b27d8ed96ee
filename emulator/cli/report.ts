/**
 * The storm's report as a person reads it.
 */
import { REFUSAL_REASONS, type StormReport } from '../guest/storm.js';

const LABEL_WIDTH = 11;

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function mib(pages: number): string {
  return `${Math.round((pages * 4096) / 2 ** 20)} MiB`;
}

function micros(nanoseconds: number): string {
  return nanoseconds >= 100_000
    ? `${Math.round(nanoseconds / 1000)} µs`
    : `${(nanoseconds / 1000).toFixed(1)} µs`;
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${text}`;
}

/** ` (credit 12, huge 512)`, or nothing when nothing was refused. */
function reasons({ refusedBy }: StormReport): string {
  const given = REFUSAL_REASONS.filter((reason) => refusedBy[reason] > 0);
  const words = given.map((reason) => `${reason} ${count(refusedBy[reason])}`);
  return words.length === 0 ? '' : ` (${words.join(', ')})`;
}

function shareRows({ share, pagesToDisk, hugePages }: StormReport): string[] {
  const { made, split, writtenWhole } = hugePages;
  const rows: string[] = [];
  if (share !== null) {
    // Rounded down: only all is 100%.
    const percent = (Math.floor(share * 1000) / 10).toFixed(1);
    rows.push(row('share', `${percent}% of swap, ${count(pagesToDisk)} pages went to the disk`));
  }
  if (made + writtenWhole > 0) {
    const fates = `${count(split)} split, ${count(writtenWhole)} written whole`;
    rows.push(row('huge pages', `${count(made)} made, ${fates}`));
  }
  return rows;
}

function storeRows(report: StormReport): string[] {
  const { host, guest } = report;
  if (host === null) return [row('pages', `${count(guest.vmstat.pswpout ?? 0)} swapped out`)];
  const pages = report.puts + report.gets;
  const bells = host.doorbellsReceived + (guest.module.interrupts ?? 0);
  const { putLatency, getLatency } = guest;
  return [
    row('puts', `${count(report.puts)} taken, ${count(report.refusals)} refused${reasons(report)}`),
    ...shareRows(report),
    row('gets', `${count(report.gets)} answered, ${count(host.getsMissed)} missed`),
    row('flushes', count(report.flushes)),
    row('held', `${mib(host.pagesUsedMax)} at most, ${mib(host.pagesUsed)} now`),
    row('put', `p50 ${micros(putLatency.p50)}, p99 ${micros(putLatency.p99)}`),
    row('get', `p50 ${micros(getLatency.p50)}, p99 ${micros(getLatency.p99)}`),
    row('doorbells', `${(bells / Math.max(1, pages)).toFixed(3)} a page`),
  ];
}

/** Several lines, each at most 100 columns, with a newline at the end. */
export function renderReport(report: StormReport): string {
  const { seconds } = report;
  const disk = report.guest.disks.vda;
  const path = report.host === null ? 'no tmem' : `${report.frontEnd} over ${report.transport}`;
  const lines = [
    `${count(report.stormMib)} MiB stormed through a ${report.memoryMib} MiB guest`,
    '',
    row('guest', `Linux ${report.kernel}, ${report.cpus} CPU, ${report.accelerator.toUpperCase()}`),
    row('path', path),
    ...storeRows(report),
    row(
      'swap disk',
      `${count(disk?.written ?? 0)} sectors written, ${count(disk?.read ?? 0)} read`,
    ),
    row('time', `boot ${seconds.boot.toFixed(1)} s, storm ${seconds.storm.toFixed(1)} s`),
    '',
    row('verified', `${count(report.pagesVerified)} pages, ${count(report.pagesWrong)} wrong`),
    ...report.problems.map((problem) => row('problem', problem)),
    row('verdict', report.ok ? 'ok: every page came back right' : 'FAILED'),
  ];
  return `${lines.join('\n')}\n`;
}
