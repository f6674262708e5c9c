'use strict';

// What the servers of the soak test use as time goes on, and whether their memory grows.

const proc = require('../shared/proc.js');

/** @typedef {import('./cluster.js').Server} Server */
/** @typedef {{ slope: number, error: number }} Growth bytes an hour of one server: the mean and its standard error */

/** Share of the run after which memory counts: a new process grows until its caches are full. */
const WARM_UP = 1 / 3;
/** Fewer points give no line. */
const LEAST_POINTS = 5;
/** How many standard errors above 0 are significant. */
const SIGNIFICANT = 3;
/** Growth below this, in bytes an hour of one server, is none: an idle Node process varies as much. */
const NEGLIGIBLE = 500_000;

class Samples {
  /** @type {Map<Server, [hours: number, bytes: number][]>} */
  #memory = new Map();

  /** @param {Server[]} residents servers whose processes live as long as the run */
  constructor(residents) {
    for (const server of residents) this.#memory.set(server, []);
  }

  /** Measures the memory of the residents after a garbage collection. @param {number} hours */
  async add(hours) {
    await Promise.all(
      [...this.#memory].map(async ([server, points]) => {
        const { now } = await server.order('memory');
        points.push([hours, now]);
      }),
    );
  }

  /** @returns {Growth | undefined} undefined with too few points */
  growth() {
    const slopes = [...this.#memory.values()].map((points) => slope(points.slice(Math.floor(points.length * WARM_UP))));
    if (slopes.length < 2 || slopes.some(Number.isNaN)) return undefined;
    // Over servers, not over points: the points of one server depend on each other.
    const mean = average(slopes);
    const variance = slopes.reduce((sum, it) => sum + (it - mean) ** 2, 0) / (slopes.length - 1);
    return { slope: mean, error: Math.sqrt(variance / slopes.length) };
  }
}

/** @param {Growth} growth */
const isGrowing = ({ slope, error }) => slope > NEGLIGIBLE && slope > SIGNIFICANT * error;

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

/** What the servers use now: memory of all in bytes; the most descriptors and the longest delay of one. @param {Server[]} servers */
async function usage(servers) {
  return {
    memory: memoryOf(servers),
    descriptors: Math.max(...pids(servers).map(proc.descriptorsOf)),
    delay: Math.max(...(await Promise.all(servers.map((server) => server.order('delay'))))),
  };
}

/** @param {Server[]} servers */
const pids = (servers) => servers.map(({ child }) => Number(child?.pid));

module.exports = { NEGLIGIBLE, SIGNIFICANT, Samples, isGrowing, memoryOf, usage };
