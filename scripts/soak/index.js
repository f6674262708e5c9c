'use strict';

// Runs real servers for as long as told, with faults, load and changing names: npm run soak -- --minutes 60 --servers 30

const { mkdirSync, writeFileSync } = require('node:fs');
const { dirname, join, resolve } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const { missing, startStar } = require('../../harness/namespaces.js');
const { build } = require('../bench/build.js');
const { cleanUpAtExit, close, scope } = require('../bench/scope.js');
const { ROOT } = require('../shared/cargo.js');
const { run } = require('../shared/command.js');
const { Cluster } = require('./cluster.js');
const { FAULTS } = require('./faults.js');
const { FEW_DESCRIPTORS, NEGLIGIBLE, SIGNIFICANT, Samples, WORST, memoryOf, usage } = require('./samples.js');
const { LEAST_MINUTES, growthText, verdictOf } = require('./verdict.js');

/** After its last fault a cluster has this many intervals until all lists must be right. */
const INTERVALS = 10;
/** Lists that are right must still be right after so many intervals: servers may not have noticed a short fault yet. */
const CONFIRMED_AFTER = 2;
/** The longest time that a fault lasts, s. */
const LONGEST = 15;
/** At most this many faults at the same time. */
const AT_ONCE = 3;
const WIDTHS = [6, 7, 6, 6, 10, 9, 18, 11, 9, 9, 7, 10];
const HEAD = [
  ...['minute', 'faults', 'wrong', 'false', 'memory', 'resident', 'growth of one', 'descriptors', 'delay', 'requests'],
  ...['failed', 'unexpected'],
];

const HELP = `npm run soak -- [--minutes N --servers N --interval N --file FILE]

Runs Express servers, each in a network namespace of its own, for as long as told. One to ${AT_ONCE} faults at a time hit
servers drawn at random, for up to ${LONGEST} s: ${Object.keys(FAULTS).join(', ')}.
Another process sends ordinary requests. When the faults of a round have ended, all lists must be right within
${INTERVALS} intervals, and still be right ${CONFIRMED_AFTER} intervals later. Needs Linux and root. Prints each minute:
  faults       so far
  wrong        lists that were not right in time, and servers that were listed online again after their end, so far
  false        how often a server listed one offline that no fault had made unreachable, so far
  memory       of all processes, MB
  resident     of one of the residents: every second server, whose process no fault ends. MB
  growth of one  of a resident's memory after a garbage collection, kB an hour, with its standard error: a line through
               the second half of the run for each resident, and the mean of the lines
  descriptors  the most of one process
  delay        the longest of the event loop in the last minute, of all processes that no fault hit in it. 10 ms if idle
  requests     answered with status 200 in the last minute
  failed       failed requests of the last minute to servers that a fault had made unreachable
  unexpected   other requests of the last minute that failed. Not part of the verdict: a server may close a connection
               just when it is used again

  --minutes N   default: 60
  --servers N   default: 30, at least 4
  --interval N  gossip interval in seconds, default: 2
  --file FILE   writes the figures as JSON, default: target/soak.json
  --help        show this text

Exit code: 1 if anything was wrong or false, or if a resident grows, judged in runs of ${LEAST_MINUTES} minutes or more:
- the mean of their memory by more than ${NEGLIGIBLE / 1000} kB an hour and ${SIGNIFICANT} standard errors
- the memory of one by more than ${WORST / 1e6} MB an hour
- the descriptors of one by more than ${FEW_DESCRIPTORS}, from the median of the middle third of the run to that of the last
Also 1 without network namespaces. 2: an option is not valid.
`;

/** @typedef {{ minutes: number, servers: number, interval: number, file: string }} Options */
/** @typedef {Awaited<ReturnType<typeof usage>> & { minute: number, faults: number, wrong: number, falseDeaths: number, resident: number, growth?: import('./samples.js').Growth, answered: number, failed: number, unexpected: number }} Row */

/** @template T @param {T[]} list @param {number} count @returns {T[]} random elements */
const draw = (list, count) =>
  [...list]
    .map((it) => ({ it, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ it }) => it);

class Soak {
  faults = 0;
  /** @type {Set<import('./cluster.js').Server>} Those that faults hit since the last report. */
  hit = new Set();
  /** @type {Row[]} */
  rows = [];
  #since = performance.now();
  #requests = { answered: 0, failed: 0, unexpected: 0 };

  /** @param {InstanceType<typeof Cluster>} cluster @param {Options} options */
  constructor(cluster, options) {
    this.cluster = cluster;
    this.options = options;
    this.residents = cluster.servers.filter((_, n) => n % 2 === 0);
    this.samples = new Samples(this.residents);
  }

  get minutes() {
    return (performance.now() - this.#since) / 60_000;
  }

  async run() {
    print(HEAD);
    // Begins to measure the delay.
    await usage(this.cluster.servers, this.hit);
    // A server that leaves before the others know it is not listed offline.
    await this.#check('the start');
    for (let minute = 1; minute <= this.options.minutes; ) {
      await this.#round();
      await this.samples.add(this.minutes / 60);
      if (this.minutes < minute) continue;
      await this.#report();
      minute = Math.floor(this.minutes) + 1;
    }
  }

  /** Faults, their end, and a check. */
  async #round() {
    const { cluster } = this;
    const chosen = draw(Object.entries(FAULTS), 1 + Math.floor(Math.random() * AT_ONCE));
    const servers = draw(cluster.servers, cluster.servers.length);
    const victims = chosen.flatMap(([name, fault]) => {
      const n = servers.findIndex((server) => !fault.endsProcess || !this.residents.includes(server));
      return (n < 0 ? [] : servers.splice(n, 1)).map((server) => ({ name, fault, server }));
    });
    for (const { server } of victims) this.hit.add(server);
    await cluster.expect(victims);
    await Promise.all(victims.map(({ fault, server }) => fault.act(server, cluster)));
    await sleep(1000 * LONGEST * Math.random());
    await Promise.all(victims.map(({ fault, server }) => fault.undo(server, cluster)));
    this.faults += victims.length;
    await this.#check(victims.map(({ name, server }) => `${server.baseUrl} ${name}`).join(', '));
    await cluster.settle();
  }

  /** @param {string} after */
  async #check(after) {
    const interval = 1000 * this.options.interval;
    const deadline = performance.now() + INTERVALS * interval;
    for (let wereRight = false; ; ) {
      const wrong = await this.cluster.wrongLists();
      const areRight = wrong.length === 0;
      if (areRight && wereRight) return;
      if (!areRight && performance.now() > deadline) {
        this.cluster.judge.wrong.push(...wrong);
        console.error([`wrong after: ${after}`, ...wrong].join('\n  '));
        return;
      }
      wereRight = areRight;
      await sleep(areRight ? CONFIRMED_AFTER * interval : 500);
    }
  }

  async #report() {
    const { cluster, residents } = this;
    const { answered, failed, unexpected } = await cluster.requests();
    const row = {
      minute: Math.floor(this.minutes),
      faults: this.faults,
      wrong: cluster.judge.wrong.length,
      falseDeaths: cluster.judge.falseDeaths.length,
      ...(await usage(cluster.servers, this.hit)),
      resident: memoryOf(residents) / residents.length,
      growth: this.samples.growth(),
      answered: answered - this.#requests.answered,
      failed: failed - this.#requests.failed,
      unexpected: unexpected - this.#requests.unexpected,
    };
    this.hit.clear();
    this.#requests = { answered, failed, unexpected };
    this.rows.push(row);
    print(cells(row));
    this.#save();
  }

  /** Each minute, because a long run may be interrupted. */
  #save() {
    const { cluster, faults, options, rows } = this;
    const { wrong, falseDeaths } = cluster.judge;
    mkdirSync(dirname(options.file), { recursive: true });
    const figures = { options, faults, wrong, falseDeaths, rows };
    writeFileSync(options.file, `${JSON.stringify(figures, undefined, 2)}\n`);
  }

  /** Prints the verdict. @returns {boolean} whether all is well */
  isWell() {
    const { isWell, lines } = verdictOf({
      minutes: this.options.minutes,
      faults: this.faults,
      wrong: this.cluster.judge.wrong.length,
      falseDeaths: this.cluster.judge.falseDeaths.length,
      growth: this.samples.growth(),
      rise: this.samples.descriptorRise(),
    });
    console.log(['', ...lines].join('\n'));
    return isWell;
  }
}

/** @param {Row} row */
function cells({ memory, resident, growth, delay, ...row }) {
  return [
    ...[row.minute, row.faults, row.wrong, row.falseDeaths],
    ...[(memory / 1e6).toFixed(0), (resident / 1e6).toFixed(1), growthText(growth)],
    ...[row.descriptors, delay?.toFixed(1) ?? '–', row.answered, row.failed, row.unexpected],
  ].map(String);
}

/** Prints a row at once: the run may take days. @param {string[]} row */
const print = (row) =>
  console.log(
    row
      .map((cell, n) => cell.padEnd(WIDTHS[n] ?? 0))
      .join('  ')
      .trimEnd(),
  );

/** @param {Options} options */
async function main(options) {
  if (missing) throw new Error(String(missing));
  cleanUpAtExit();
  // Not in the tests, which run this file without npm: other tests have loaded the addon, so it must not be replaced.
  if (process.env.npm_lifecycle_event === 'soak') build();
  try {
    const cluster = new Cluster(await startStar(scope, options.servers), options.interval);
    await cluster.fill();
    const soak = new Soak(cluster, options);
    await soak.run();
    if (!soak.isWell()) process.exitCode = 1;
  } finally {
    await close();
  }
}

/** @type {import('../shared/command.js').Command<Options>} */
const command = {
  name: 'soak --',
  help: HELP,
  options: {
    minutes: { type: 'string', default: '60' },
    servers: { type: 'string', default: '30' },
    interval: { type: 'string', default: '2' },
    file: { type: 'string', default: join(ROOT, 'target/soak.json') },
  },
  read({ file, ...values }) {
    for (const [name, least] of /** @type {const} */ ([
      ['minutes', 1],
      ['servers', 4],
      ['interval', 0.3],
    ])) {
      if (!(Number(values[name]) >= least)) throw new Error(`--${name} takes a number, ${least} at least`);
    }
    const [minutes, servers, interval] = [values.minutes, values.servers, values.interval].map(Number);
    return { minutes, servers, interval, file: resolve(file) };
  },
  main,
};

run(command);
