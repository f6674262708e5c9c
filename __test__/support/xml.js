'use strict';

const assert = require('node:assert/strict');

/**
 * What is no XML is shown nowhere, and ECharts does not escape all that it is given.
 *
 * @param {string} svg
 */
function assertIsXml(svg) {
  /** @type {string[]} */
  const open = [];
  const rest = svg
    .replace(/<!\[CDATA\[.*?\]\]>/gs, '')
    .replace(/<(\/?)([a-zA-Z]+)((?: [\w:-]+="[^"<]*")*) ?(\/?)>/g, (_, end, name, _attributes, empty) => {
      if (end) assert.equal(open.pop(), name);
      else if (!empty) open.push(name);
      return '';
    });
  assert.doesNotMatch(rest, /[<>]/);
  assert.deepEqual(open, []);
}

module.exports = { assertIsXml };
