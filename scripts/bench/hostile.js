'use strict';

// Measures for how much of the time a server is listed online while somebody lies about it or floods it.

const { agree, fileList, startServers } = require('../../harness/cluster.js');
const { startFakePeer } = require('../../harness/fake-peer.js');
const { capturedMessage, flood, lies, shareOnline, slander, smallMessages } = require('../../harness/hostile-load.js');
const { scope } = require('./scope.js');
const { timed } = require('./timed.js');

const HELP = `npm run bench -- hostile [--json --seconds N]

Attacks one of four Express servers, with the default interval of 30 s, and measures for which share of the time the other
server that lists it online for the shortest time does so:
  lies      of a holder of the gossip secret: that the server left, is drained, has failed or is offline, stamped just above
            its incarnation, now or 3 h ahead. Another form each second, every 100 ms to each other server
  flood     5 000 small messages a second of a holder of the secret, in all names
  repeated  one captured signed message, 5 000 times a second

  --json       print the results as numbers
  --seconds N  how long each attack lasts, default: 60. The whole takes seven times as long
  --help       show this text
`;

/** Lies of the same form in a row: a second. */
const IN_A_ROW = 10;
const RATE = 5_000;

/** @typedef {{ attack: string, rate: number, share: number }} Row `rate`: messages a second */
/** @typedef {import('../../harness/hostile-load.js').Server} Server */

/** @param {Record<string, string>} [env] */
async function cluster(env) {
  const interval = { SHAZBOT_GOSSIP_INTERVAL: '30', TEST_ROUTER: 'yes' };
  const servers = await startServers(scope, 4, { env: { ...interval, ...fileList().env, ...env } });
  await agree(servers, { online: servers });
  const [victim, sender] = /** @type {[Server, Server]} */ (servers);
  return { servers, victim, sender };
}

/** @param {string} attack @param {import('../../harness/hostile-load.js').Lie[]} forms @param {number} ms @returns {Promise<Row>} */
async function lying(attack, forms, ms) {
  const { servers, victim } = await cluster();
  const { baseUrl: liar } = await startFakePeer(scope);
  let [count, told] = [0, 0];
  const next = () =>
    /** @type {import('../../harness/hostile-load.js').Lie} */ (forms[Math.floor(count++ / IN_A_ROW) % forms.length]);
  const share = await shareOnline(servers, victim, async () => {
    told = await slander(servers, victim, { liar, ms, next });
  });
  return ended(servers, { attack, rate: (told * 1_000) / ms, share });
}

/** @param {string} attack @param {Awaited<ReturnType<typeof cluster>>} cluster @param {string[]} requests @param {number} ms @returns {Promise<Row>} */
async function flooding(attack, { servers, victim }, requests, ms) {
  let rate = 0;
  const share = await shareOnline(servers, victim, async () => {
    rate = await flood(victim, requests, { ms, rate: RATE });
  });
  return ended(servers, { attack, rate, share });
}

/** @param {Server[]} servers @param {Row} row */
async function ended(servers, row) {
  await Promise.all(servers.map((server) => server.kill()));
  return row;
}

/** @param {number} seconds */
async function measure(seconds) {
  const ms = seconds * 1_000;
  const all = Object.entries(lies());
  const rows = [];
  for (const voice of ['in version 1', "in the liar's name", 'in its own name', "in another's name"]) {
    const forms = all.flatMap(([name, lie]) => (name.endsWith(voice) ? [lie] : []));
    rows.push(await lying(`lies ${voice}`, forms, ms));
  }
  const first = await cluster();
  rows.push(await flooding('flood', first, await smallMessages(first.servers, first.victim), ms));
  const second = await cluster({ SHAZBOT_AUTH: 'signed' });
  rows.push(await flooding('repeated', second, [await capturedMessage(second.sender, second.victim)], ms));
  return rows;
}

/** @param {Row[]} rows @returns {string[][]} for a table */
function summary(rows) {
  const cells = (/** @type {Row} */ { attack, rate, share }) => [
    attack,
    rate.toFixed(0),
    `${(100 * share).toFixed(2)} %`,
  ];
  return [['attack', 'messages a second', 'listed online'], ...rows.map(cells)];
}

module.exports = { command: timed('hostile', HELP, measure, summary), summary };
