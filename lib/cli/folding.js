'use strict';

// Hides the servers that left in order: where addresses change with each deployment, they would fill the table.

/**
 * @template {{ state: string }} T
 * @param {T[]} rows
 * @param {boolean} all whether everything is shown
 * @returns {{ shown: T[], note: string[] }} note: lines for below the table, which say how many are hidden
 */
function foldLeft(rows, all) {
  const shown = all ? rows : rows.filter(({ state }) => state !== 'left');
  const count = rows.length - shown.length;
  return { shown, note: count > 0 ? ['', `${count} left in order (--all shows them)`] : [] };
}

module.exports = { foldLeft };
