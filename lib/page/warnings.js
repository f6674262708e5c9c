'use strict';

// The banner with the warnings of this server whose cause holds now.

/** @param {Status} status */
function renderWarnings({ warnings, moreWarnings = 0 }) {
  byId('warnings-section').hidden = warnings.length === 0;
  const items = warnings.map(({ code, message, since }) => {
    const start = make('span', 'soft', `since ${new Date(since).toLocaleString()}`);
    return make('li', '', make('strong', '', code), `: ${message} `, start);
  });
  if (moreWarnings > 0) items.push(make('li', 'soft', `and ${moreWarnings} more`));
  byId('warnings').replaceChildren(...items);
}
