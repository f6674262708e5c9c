'use strict';

// The faults of the soak test: what each does to a server, and how it ends.

/** @typedef {import('./cluster.js').Server} Server */
/** @typedef {InstanceType<typeof import('./cluster.js').Cluster>} Cluster */
/**
 * @typedef {object} Fault
 * @property {boolean} [endsProcess] not for the servers whose memory is measured
 * @property {boolean} [isHarmless] its server must not be listed offline
 * @property {string} [reason] its server may be listed offline with this reason only
 * @property {boolean} [hitsAll] it makes any two servers unreachable for each other
 * @property {(server: Server, cluster: Cluster) => unknown} act
 * @property {(server: Server, cluster: Cluster) => unknown} undo
 */

/** A tag that no server had before. */
let changes = 0;

/** @type {Record<string, Fault>} */
const FAULTS = {
  killed: { endsProcess: true, act: (server) => server.kill(), undo: (server) => server.restart() },
  left: { endsProcess: true, act: (server) => server.terminate(), undo: (server) => server.restart() },
  'renamed after a leave': {
    endsProcess: true,
    act: (server) => server.terminate(),
    undo: (server, cluster) => cluster.rename(server),
  },
  'renamed after a kill': {
    endsProcess: true,
    act: (server) => server.kill(),
    undo: (server, cluster) => cluster.rename(server),
  },
  hung: { act: (server) => server.signal('SIGSTOP'), undo: (server) => server.signal('SIGCONT') },
  drained: { reason: ': it was drained', act: (server) => server.drain(), undo: (server) => server.undrain() },
  'other tags': {
    isHarmless: true,
    act: (server) => {
      changes += 1;
      return server.order('call', 'shazbotSetTags', { version: `1.${changes}` });
    },
    undo: () => {},
  },
  unplugged: {
    act: ({ place }, { star }) => place && star.unplug(place),
    undo: ({ place }, { star }) => place && star.plug(place),
  },
  // Of half of the servers.
  partition: {
    hitsAll: true,
    act: (_, cluster) => cut(cluster, 1),
    undo: (_, cluster) => cut(cluster, 0),
  },
};

/** @param {Cluster} cluster @param {0 | 1} side */
function cut({ servers, star }, side) {
  for (const { place } of servers.filter((_, n) => n % 2 === 1)) if (place) star.move(place, side);
}

module.exports = { FAULTS };
