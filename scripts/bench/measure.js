'use strict';

// What is measured, in which order, and how it becomes rows.

const { statSync } = require('node:fs');

require('../../lib/binary.js');
const { run } = require('./children.js');
const { median, typical } = require('./meter.js');
const { memory, request } = require('./programs.js');

/** @typedef {import('./meter.js').Time} Time */
/** @typedef {Time & { bytes?: number }} Cost of one operation: times in µs, bytes that go over the wire both ways */
/**
 * @typedef {object} Row
 * @property {string} what
 * @property {number} [n] servers online
 * @property {Cost} ours
 * @property {Cost} baseline
 */
/**
 * @typedef {object} Results what was not asked for is empty
 * @property {Row[]} rows
 * @property {{ n: number, calls: number }[]} outbound calls from the engine into the event loop
 * @property {{ n: number, ours: number, v1: number }[]} bodies the largest sent to a server of ours, and to one of version 1
 * @property {{ n: number, bare: number, ours: number, baseline: number }[]} memory resident, bytes
 * @property {{ n: number, parts: Record<string, Time> }[]} parts
 * @property {number} binary bytes
 */

const OUTBOUND = 'outbound exchange';
const REQUIRE = "require('clustershazbot')";

/**
 * @param {number} n
 * @param {number} time to measure for, ms
 */
async function outbound(n, time) {
  const of = (/** @type {'ours' | 'nobody' | 'baseline'} */ who) => run('outbound', { who, n, time });
  const [ours, nobody, baseline] = [await of('ours'), await of('nobody'), await of('baseline')];
  /** @param {any} measured @param {number} [besides] what the event loop does anyway @returns {Cost} */
  const each = ({ exchanges, eventLoop, cpu, bytes }, besides = 0) => ({
    // What is less than that cannot be told from nothing.
    eventLoop: Math.max(0, eventLoop - besides) / exchanges,
    cpu: cpu / exchanges,
    bytes: Math.round(bytes / exchanges),
  });
  const row = { what: OUTBOUND, n, ours: each(ours, nobody.eventLoop), baseline: each(baseline) };
  return { row, calls: ours.calls };
}

/**
 * What a program has in memory, median of some.
 *
 * @param {number} n
 * @param {number} repeat
 */
async function memories(n, repeat) {
  /** @type {Record<import('./programs.js').Who, number[]>} */
  const found = { nothing: [], ours: [], baseline: [] };
  for (let count = 0; count < repeat; count++) {
    for (const who of /** @type {const} */ (['nothing', 'ours', 'baseline'])) found[who].push(await memory({ who, n }));
  }
  return { n, bare: median(found.nothing), ours: median(found.ours), baseline: median(found.baseline) };
}

/** @param {number} repeat @returns {Promise<Row>} */
async function loading(repeat) {
  /** @type {Record<'ours' | 'baseline', Time[]>} */
  const found = { ours: [], baseline: [] };
  for (let count = 0; count < repeat; count++) {
    for (const who of /** @type {const} */ (['ours', 'baseline'])) found[who].push(await run('loading', { who }));
  }
  return { what: REQUIRE, ours: typical(found.ours), baseline: typical(found.baseline) };
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
  const file = Object.keys(require.cache).find((name) => name.endsWith('.node'));
  return statSync(String(file)).size;
}

/** What can be asked for, each with what it adds. */
const SECTIONS = {
  /** @param {Results} results @param {number} n @param {boolean} quick */
  async functions(results, n, quick) {
    // Small clusters are held up by the limit on messages a second.
    const { rows, bodies } = await run('handlers', { n, rounds: quick ? 5 : n < 1000 ? 12 : 20 });
    results.rows.push(...rows.map((/** @type {Row} */ row) => ({ ...row, n })));
    results.bodies.push({ n, ...bodies });
  },
  /** @param {Results} results @param {number} n @param {boolean} quick */
  async outbound(results, n, quick) {
    const { row, calls } = await outbound(n, quick ? 1_000 : 2_000);
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
 * @param {boolean} options.quick few rounds
 * @param {(text: string) => void} options.progress
 * @returns {Promise<Results>}
 */
async function measure({ sizes, sections, quick, progress }) {
  /** @type {Results} */
  const results = { rows: [], outbound: [], bodies: [], memory: [], parts: [], binary: binary() };
  for (const [name, section] of Object.entries(SECTIONS)) {
    for (const n of sections.includes(name) ? sizes : []) {
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

module.exports = { OUTBOUND, REQUIRE, SECTIONS: [...Object.keys(SECTIONS), 'require'], measure };
