'use strict';

// What the servers of the soak test use as time goes on, and whether their memory or their open files grow.

const proc = require('../shared/proc.js');
const { median } = require('../shared/statistics.js');

/** @typedef {import('./cluster.js').Server} Server */
/** @typedef {{ slope: number, error: number, worst: number }} Growth bytes an hour of one server: the mean, its standard error, and the most */

/** Share of the run after which memory counts: a new process grows for half an hour, until V8 has compiled what is used often. */
const WARM_UP = 1 / 2;
/** Fewer points give no line. */
const LEAST_POINTS = 5;
/** How many standard errors above 0 are significant. */
const SIGNIFICANT = 3;
/** Growth below this, in bytes an hour of one server, is none: an idle Node process varies as much. */
const NEGLIGIBLE = 500_000;
/** A single server that grows by more than this leaks, even if the others do not grow. */
const WORST = 10 * NEGLIGIBLE;
/** A server that has this many more descriptors than before does not leak: their number varies with its connections. */
const FEW_DESCRIPTORS = 10;

class Samples {
  /** @type {Map<Server, { memory: [hours: number, bytes: number][], descriptors: number[] }>} */
  #points = new Map();

  /** @param {Server[]} residents servers whose processes live as long as the run */
  constructor(residents) {
    for (const server of residents) this.#points.set(server, { memory: [], descriptors: [] });
  }

  /** Measures the residents, their memory after a garbage collection. @param {number} hours */
  async add(hours) {
    await Promise.all(
      [...this.#points].map(async ([server, { memory, descriptors }]) => {
        const { now } = await server.order('memory');
        memory.push([hours, now]);
        descriptors.push(proc.descriptorsOf(Number(server.child?.pid)));
      }),
    );
  }

  /** @returns {Growth | undefined} undefined with too few points */
  growth() {
    const slopes = [...this.#points.values()].map(({ memory }) =>
      slope(memory.slice(Math.floor(memory.length * WARM_UP))),
    );
    if (slopes.length < 2 || slopes.some(Number.isNaN)) return undefined;
    // Over servers, not over points: the points of one server depend on each other.
    const mean = average(slopes);
    const variance = slopes.reduce((sum, it) => sum + (it - mean) ** 2, 0) / (slopes.length - 1);
    return { slope: mean, error: Math.sqrt(variance / slopes.length), worst: Math.max(...slopes) };
  }

  /** How many more descriptors the resident has that gained the most. @returns {number | undefined} undefined with too few points */
  descriptorRise() {
    const rises = [...this.#points.values()].map(({ descriptors }) => rise(descriptors));
    return rises.some(Number.isNaN) ? undefined : Math.max(...rises);
  }
}

/** @param {Growth} [growth] */
const isGrowing = (growth) =>
  growth !== undefined &&
  // The mean alone would not do: if only one of the servers grows, the mean is as large as its error.
  ((growth.slope > NEGLIGIBLE && growth.slope > SIGNIFICANT * growth.error) || growth.worst > WORST);

/** @param {number} [rise] of the descriptors of one server */
const isLeaking = (rise) => rise !== undefined && rise > FEW_DESCRIPTORS;

/** The median of the last third less that of the middle third. @param {number[]} counts */
function rise(counts) {
  if (counts.length < LEAST_POINTS) return Number.NaN;
  const third = Math.floor(counts.length / 3);
  return median(counts.slice(-third)) - median(counts.slice(-2 * third, -third));
}

/** The slope of the line through these points, by least squares. @param {[x: number, y: number][]} points */
function slope(points) {
  if (points.length < LEAST_POINTS) return Number.NaN;
  const [x, y] = [average(points.map(([x]) => x)), average(points.map(([, y]) => y))];
  const across = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return across / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}

/** @param {number[]} values */
const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Resident memory of all these processes, in bytes. @param {Server[]} servers */
const memoryOf = (servers) => pids(servers).reduce((sum, pid) => sum + proc.memoryOf(pid), 0);

/**
 * What the servers use now: memory of all in bytes, the most descriptors of one, and the longest delay since the last call:
 * undefined if all were hit or are new.
 *
 * @param {Server[]} servers
 * @param {Set<Server>} hit their delays do not count: a suspended process is late
 */
async function usage(servers, hit) {
  const delays = await Promise.all(servers.map((server) => server.order('delay')));
  const counted = servers.flatMap((server, n) => (hit.has(server) ? [] : (delays[n] ?? [])));
  return {
    memory: memoryOf(servers),
    descriptors: Math.max(...pids(servers).map(proc.descriptorsOf)),
    delay: counted.length > 0 ? Math.max(...counted) : undefined,
  };
}

/** @param {Server[]} servers */
const pids = (servers) => servers.map(({ child }) => Number(child?.pid));

module.exports = {
  FEW_DESCRIPTORS,
  NEGLIGIBLE,
  SIGNIFICANT,
  Samples,
  WORST,
  isGrowing,
  isLeaking,
  memoryOf,
  rise,
  usage,
};
