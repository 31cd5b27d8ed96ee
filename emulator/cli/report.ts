/**
 * The storm's report as a person reads it.
 */
import { printable } from '../../images/printable.js';
import type { StormReport } from '../guest/storm.js';
import { troubleLines } from './verdict.js';

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

function storeRows(report: StormReport): string[] {
  const { host, guest } = report;
  if (host === null) return [row('pages', `${count(guest.vmstat.pswpout ?? 0)} swapped out`)];
  const pages = report.puts + report.gets;
  const bells = host.doorbellsReceived + (guest.module.interrupts ?? 0);
  const { putLatency, getLatency } = guest;
  return [
    row('puts', `${count(report.puts)} taken, ${count(report.refusals)} refused`),
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
    ...troubleLines(report.kernelTrouble),
    row('verdict', report.ok ? 'ok: every page came back right' : 'FAILED'),
  ];
  return `${printable(lines.join('\n'))}\n`;
}
