'use strict';

// The median and the percentiles of measured values.

/**
 * @param {ArrayLike<number>} values
 * @param {number} share from 0 to 1
 */
function percentile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}

/** @param {number[]} values of an even number the upper one of the two in the middle */
function median(values) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

module.exports = { median, percentile };
