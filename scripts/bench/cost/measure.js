'use strict';

// Runs the measurements one after another and collects their results as rows.

const { readFileSync, statSync } = require('node:fs');
const { join } = require('node:path');

const { ROOT } = require('../../shared/cargo.js');
const { median } = require('../../shared/statistics.js');
const { run } = require('./children.js');
const { typical } = require('./meter.js');
const { memory, request } = require('./programs.js');

/** @typedef {import('./meter.js').Time} Time */
/**
 * @typedef {Time & { bytes?: number, floor?: number, elapsed?: number }} Cost of one operation: times in µs; `bytes` sent both
 *   ways; an event-loop time below `floor` is within the error of measurement
 */
/**
 * @typedef {object} Row
 * @property {string} what
 * @property {boolean} [cut] our answer is limited to one message, while version 1 answers with its whole list
 * @property {number[]} [ratios] of event-loop times, one for each process measured
 * @property {number} [n] servers online
 * @property {Cost} ours
 * @property {Cost} baseline
 */
/**
 * @typedef {object} Results sections that were not selected are empty
 * @property {Row[]} rows
 * @property {{ n: number, calls: number }[]} outbound calls of the engine into the event loop
 * @property {{ n: number, ours: number, v1: number, stamps: number }[]} bodies the largest sent to a server of protocol 2 and
 *   to one of version 1; the number of others' stamps in an idle message
 * @property {({ n: number } & Record<keyof typeof MEMORIES, number>)[]} memory resident, bytes
 * @property {{ n: number, parts: Record<string, Time> }[]} parts
 * @property {number} binary bytes
 * @property {number} [simulated] idle gossip in bytes a second and server, from the simulator's report
 */

const OUTBOUND = 'outbound exchange';
/** The number of servers for which the report shows the parts. */
const PARTS = 1_000;
const REQUIRE = "require('clustershazbot')";

/** The programs whose memory is measured, and the kind of messages they are sent. */
const MEMORIES = /** @type {const} */ ({
  bare: { who: 'nothing', kind: 'ours' },
  ours: { who: 'ours', kind: 'ours' },
  oursTags: { who: 'ours', kind: 'ours', tags: true },
  bareFull: { who: 'nothing', kind: 'full' },
  oursFull: { who: 'ours', kind: 'full' },
  baseline: { who: 'baseline', kind: 'full' },
});

/**
 * @param {number} n
 * @param {number} processes
 * @param {number} rounds in each of them
 */
async function functions(n, processes, rounds) {
  /** @type {{ rows: Row[], bodies: Results['bodies'][0] }[]} */
  const found = [];
  // The layout of memory and the time of compilation differ between processes.
  for (let count = 0; count < processes; count++) found.push(await run('handlers', { n, rounds }));
  const [{ rows, bodies }] = /** @type {[typeof found[0]]} */ (found);
  return {
    rows: rows.map((row, index) => {
      const same = found.map((one) => /** @type {Row} */ (one.rows[index]));
      return {
        ...row,
        n,
        ratios: same.map(({ ours, baseline }) => ours.eventLoop / baseline.eventLoop),
        ours: { ...row.ours, ...typical(same.map(({ ours }) => ours)) },
        baseline: { ...row.baseline, ...typical(same.map(({ baseline }) => baseline)) },
      };
    }),
    bodies: { ...bodies, n },
  };
}

/**
 * @param {number} n
 * @param {number} time to measure for, ms
 * @param {number} processes
 */
async function outbound(n, time, processes) {
  /** @param {'ours' | 'nobody' | 'baseline'} who @param {number} count @returns {Promise<any[]>} */
  const of = (who, count) => Promise.all(Array.from({ length: count }, () => run('outbound', { who, n, time })));
  // In parallel: these processes are nearly idle.
  const [ours, nobody] = await Promise.all([of('ours', processes), of('nobody', processes + 2)]);
  const [baseline] = await of('baseline', 1);
  const anyway = nobody.map(({ eventLoop }) => eventLoop);
  const background = { eventLoop: median(anyway), spread: Math.max(...anyway) - Math.min(...anyway) };
  /** @param {any} measured */
  const each = ({ exchanges, eventLoop, cpu, bytes }) => ({
    eventLoop: eventLoop / exchanges,
    cpu: cpu / exchanges,
    bytes: Math.round(bytes / exchanges),
  });
  const costs = ours.map((one) => ({
    ...each({ ...one, eventLoop: one.eventLoop - background.eventLoop }),
    floor: background.spread / one.exchanges,
  }));
  /** @type {Cost} */
  const typicalOurs = { ...costs[0], ...typical(costs) };
  const row = { what: OUTBOUND, n, ours: typicalOurs, baseline: each(baseline) };
  return { row, calls: Math.max(...ours.map(({ calls }) => calls)) };
}

/**
 * The memory of each program, the median of several processes.
 *
 * @param {number} n
 * @param {number} repeat
 */
async function memories(n, repeat) {
  const names = /** @type {(keyof typeof MEMORIES)[]} */ (Object.keys(MEMORIES));
  /** @type {number[][]} */
  const found = names.map(() => []);
  for (let count = 0; count < repeat; count++) {
    for (const [index, name] of names.entries()) found[index]?.push(await memory({ ...MEMORIES[name], n }));
  }
  const each = Object.fromEntries(names.map((name, index) => [name, median(found[index] ?? [])]));
  return /** @type {Results['memory'][0]} */ ({ n, ...each });
}

/** @param {number} repeat @returns {Promise<Row>} */
async function loading(repeat) {
  /** @type {Record<'ours' | 'baseline', (Time & { elapsed: number })[]>} */
  const found = { ours: [], baseline: [] };
  for (let count = 0; count < repeat; count++) {
    for (const who of /** @type {const} */ (['ours', 'baseline'])) found[who].push(await run('loading', { who }));
  }
  const elapsed = median(found.ours.map((one) => one.elapsed));
  return { what: REQUIRE, ours: { ...typical(found.ours), elapsed }, baseline: typical(found.baseline) };
}

/** @param {number} n @param {number} rounds @param {number} repeat */
async function partsOf(n, rounds, repeat) {
  /** @type {Record<string, Time>} */
  const parts = await run('parts', { n, rounds });
  for (const [name, who, kind] of /** @type {const} */ ([
    ['request, bare', 'nothing', 'ours'],
    ['request, ours', 'ours', 'ours'],
    ['request, full', 'ours', 'full'],
    ['request, baseline', 'baseline', 'full'],
  ])) {
    /** @type {Time[]} */
    const found = [];
    for (let count = 0; count < repeat; count++) found.push(await request({ who, kind, n }));
    parts[name] = typical(found);
  }
  return { n, parts };
}

function binary() {
  // Not at the top: --help must work before a build.
  require('../../../lib/binary.js');
  const file = Object.keys(require.cache).find((name) => name.endsWith('.node'));
  return statSync(String(file)).size;
}

/** The highest idle traffic of any cluster in the simulator's report. */
function simulated() {
  const report = readFileSync(join(ROOT, 'docs', 'contributors', 'convergence.md'), 'utf8');
  const [, section = ''] = report.split('## What it costs');
  const rows = section.split('</details>', 1)[0]?.matchAll(/^\| [\d ]+ \| [\d ]+ \| ([\d. ]+) \|/gm) ?? [];
  const bytes = Array.from(rows, ([, figure]) => Number(figure?.replaceAll(' ', '')));
  return bytes.length > 0 ? Math.max(...bytes) : undefined;
}

/** The sections for --only. Each adds to the results. */
const SECTIONS = {
  /** @param {Results} results @param {number} n @param {boolean} quick */
  async functions(results, n, quick) {
    const { rows, bodies } = await functions(n, quick ? 2 : 5, quick ? 3 : 4);
    results.rows.push(...rows);
    results.bodies.push(bodies);
  },
  /** @param {Results} results @param {number} n @param {boolean} quick */
  async outbound(results, n, quick) {
    const { row, calls } = await outbound(n, quick ? 1_000 : 2_000, quick ? 1 : 3);
    results.rows.push(row);
    results.outbound.push({ n, calls });
  },
  /** @param {Results} results @param {number} n @param {boolean} quick */
  async memory(results, n, quick) {
    results.memory.push(await memories(n, quick ? 1 : 3));
  },
  /** @param {Results} results @param {number} n @param {boolean} quick */
  async parts(results, n, quick) {
    results.parts.push(await partsOf(n, quick ? 3 : 12, quick ? 1 : 3));
  },
};

/**
 * @param {object} options
 * @param {number[]} options.sizes
 * @param {string[]} options.sections
 * @param {boolean} options.quick fewer rounds
 * @param {(text: string) => void} options.progress
 * @returns {Promise<Results>}
 */
async function measure({ sizes, sections, quick, progress }) {
  /** @type {Results} */
  const results = {
    rows: [],
    outbound: [],
    bodies: [],
    memory: [],
    parts: [],
    binary: binary(),
    simulated: simulated(),
  };
  for (const [name, section] of Object.entries(SECTIONS)) {
    for (const n of sections.includes(name) ? sizes : []) {
      if (name === 'parts' && n !== PARTS && sizes.includes(PARTS)) continue;
      progress(`${name}, ${n} servers`);
      await section(results, n, quick);
    }
  }
  if (sections.includes('require')) {
    progress('require');
    results.rows.push(await loading(quick ? 3 : 15));
  }
  progress('');
  return results;
}

module.exports = { OUTBOUND, PARTS, REQUIRE, SECTIONS: [...Object.keys(SECTIONS), 'require'], measure };
