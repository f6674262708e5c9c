'use strict';

// Decides at the end of a soak test whether the run has passed.

const { isGrowing, isLeaking } = require('./samples.js');

/** Neither memory nor descriptors are judged in shorter runs, in minutes. */
const LEAST_MINUTES = 30;

/**
 * @typedef {object} Outcome
 * @property {number} minutes
 * @property {number} faults
 * @property {number} wrong
 * @property {number} falseDeaths
 * @property {import('./samples.js').Growth} [growth]
 * @property {number} [rise] of the descriptors
 */

/** @param {Outcome} outcome @returns {{ isWell: boolean, lines: string[] }} */
function verdictOf({ minutes, faults, wrong, falseDeaths, growth, rise }) {
  const isJudged = minutes >= LEAST_MINUTES;
  const [grows, leaks] = [isJudged && isGrowing(growth), isJudged && isLeaking(rise)];
  const judged = (/** @type {boolean} */ isWrong) => {
    if (!isJudged) return `not judged in less than ${LEAST_MINUTES} minutes`;
    return isWrong ? 'it grows' : 'no growth';
  };
  return {
    isWell: wrong === 0 && falseDeaths === 0 && !grows && !leaks,
    lines: [
      `${faults} faults: ${wrong} wrong lists, ${falseDeaths} false deaths.`,
      `Memory of one server: ${growthText(growth)} kB an hour, the most of one ${kB(growth?.worst)}: ${judged(grows)}.`,
      `Descriptors of one server: ${rise ?? '–'} more at most: ${judged(leaks)}.`,
    ],
  };
}

/** @param {number} [bytes] */
const kB = (bytes) => (bytes === undefined ? '–' : (bytes / 1000).toFixed(0));

/** @param {import('./samples.js').Growth} [growth] */
const growthText = (growth) => (growth ? `${kB(growth.slope)} ± ${kB(growth.error)}` : '–');

module.exports = { LEAST_MINUTES, growthText, verdictOf };
