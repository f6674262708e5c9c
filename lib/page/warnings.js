'use strict';

// The banner with the active warnings of this server.

/** @param {Status} status */
function renderWarnings({ warnings, moreWarnings = 0 }) {
  byId('warnings-section').hidden = warnings.length === 0;
  const items = warnings.map(({ code, message, since }) => {
    const start = make('span', 'soft unbroken', `since ${formatTime(since)}`);
    return make('li', '', make('strong', '', code), `: ${message} `, start);
  });
  if (moreWarnings > 0) items.push(make('li', 'soft', `and ${moreWarnings} more`));
  showChildren(byId('warnings'), items);
}
