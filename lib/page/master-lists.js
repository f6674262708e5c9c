'use strict';

// The state of each master list.

/** Called at each tick too, because the text has durations. @param {Status} status */
function renderMasterLists({ masterLists }) {
  byId('lists-section').hidden = masterLists.length === 0;
  const items = masterLists.map(({ name, servers, read, written, failures, error }) => {
    const writes = written === undefined ? '' : `, updated by this server ${timeSince(written)}`;
    const state = make('div', 'soft', `${countOf(servers, 'server')}, read ${timeSince(read)}${writes}`);
    const item = make('li', '', make('div', 'own', name), state);
    const times = failures === 1 ? 'once' : `${failures} times in a row`;
    if (error) item.append(make('div', 'failed', `${MARKS.failed} failed ${times}: ${error}`));
    return item;
  });
  showChildren(byId('lists'), items);
}
