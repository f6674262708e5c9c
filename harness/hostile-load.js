'use strict';

// Attacks one server of a cluster of real processes for some time, and measures how long the others list it online.

const http = require('node:http');
const net = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');

const { SECRET } = require('./cluster.js');
const { message } = require('./gossip.js');
const { sign, timeOf } = require('./signed.js');

/** @typedef {Awaited<ReturnType<typeof import('./cluster.js').startServer>>} Server */
/** @typedef {{ url: string, stamp: number, incarnation: number, instance: string }} Member what a server says of itself */
/** @typedef {{ victim: Member, liar: Member, another: Member }} Cast */
/** @typedef {(cast: Cast) => object} Lie makes a message */

/** How far ahead of its clock a server accepts a stamp, ms, less a second for the way. */
const AHEAD = 3 * 3_600_000 - 1_000;
/** Time between two lies to the same server, ms. */
const PACE = 100;
/** Messages of a flood that wait for an answer: a slow server gets fewer, instead of a queue that grows. */
const MAX_WAITING = 400;
const CONNECTIONS = 8;

/** @type {Record<string, (victim: Member) => number>} */
const NEWNESS = {
  'just above its incarnation': ({ incarnation }) => incarnation + 1,
  'of now': ({ incarnation, stamp }) => Math.max(incarnation, stamp) + 1,
  '3 h ahead': ({ stamp }) => stamp + AHEAD,
};
const REASONS = { left: 'l', drained: 'd', failed: 'f' };

/** @param {...string} words */
const version2 = (...words) => ({ ...message(), shazbot: ['2', ...words].join(' ') });
/** @param {Member} member */
const ownWord = ({ url, stamp, incarnation, instance }) => `so${stamp}>${url}>${incarnation}.${instance}`;

/**
 * Every form in which a holder of the secret can say that the victim is offline.
 * @returns {Record<string, Lie>}
 */
function lies() {
  /** @type {Record<string, Lie>} */
  const all = {};
  for (const [newness, timeOf] of Object.entries(NEWNESS)) {
    /** @param {Cast} cast @param {string} [shazbot] */
    const version1 = ({ victim }, shazbot) =>
      message([], [{ baseUrl: victim.url, monitor: false, lastUpdate: timeOf(victim), ...(shazbot && { shazbot }) }]);
    all[`offline, ${newness}, in version 1`] = (cast) => version1(cast);
    for (const [claim, reason] of Object.entries(REASONS)) {
      /** @param {Cast} cast */
      const field = ({ victim, liar }) =>
        `${timeOf(victim)}.${victim.instance}.${reason}.${claim === 'failed' ? liar.url : victim.url}`;
      /** @param {Cast} cast */
      const word = (cast) => `x${timeOf(cast.victim)}>${cast.victim.url}>${field(cast)}`;
      all[`${claim}, ${newness}, in version 1`] = (cast) => version1(cast, field(cast));
      all[`${claim}, ${newness}, in the liar's name`] = (cast) => version2(ownWord(cast.liar), `e${word(cast)}`);
      all[`${claim}, ${newness}, in its own name`] = (cast) => version2(`s${word(cast)}`);
      all[`${claim}, ${newness}, in another's name`] = (cast) => version2(ownWord(cast.another), `e${word(cast)}`);
    }
  }
  return all;
}

/** Sends gossip on connections that are kept, so that the sender costs little. */
class Client {
  #agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

  close() {
    this.#agent.destroy();
  }

  /**
   * @param {string} url base URL
   * @param {object} body
   * @param {string} [authorization]
   * @returns {Promise<any>} the answer, undefined if there is none
   */
  send(url, body, authorization = SECRET) {
    return new Promise((resolve) => {
      const headers = { authorization, 'content-type': 'application/json' };
      const options = { method: 'POST', headers, agent: this.#agent, timeout: 5_000 };
      const call = http.request(`${url}clustershazbot/gossip`, options, async (answer) => {
        let text = '';
        for await (const chunk of answer.setEncoding('utf8')) text += chunk;
        resolve(text.startsWith('{') ? JSON.parse(text) : undefined);
      });
      call.on('timeout', () => call.destroy()).on('error', () => resolve(undefined));
      call.end(JSON.stringify(body));
    });
  }

  /** @param {string} url @returns {Promise<Member | undefined>} */
  async ask(url) {
    return memberOf(await this.send(url, version2()));
  }
}

/** @param {any} answer @returns {Member | undefined} the server that answers */
function memberOf(answer) {
  const [, stamp, url = '', incarnation, instance = ''] =
    / s.(\d+)>([^>]*)>(\d+)\.([0-9a-f]+)/.exec(answer?.shazbot ?? '') ?? [];
  return url ? { url, stamp: Number(stamp), incarnation: Number(incarnation), instance } : undefined;
}

/**
 * Does something, and measures for which share of that time each other server listed the victim online.
 *
 * @param {Server[]} servers which all list each other online
 * @param {Server} victim
 * @param {() => Promise<unknown>} act
 * @returns {Promise<number>} of the server that listed it online for the shortest time
 */
async function shareOnline(servers, victim, act) {
  const others = servers.filter((server) => server !== victim);
  const began = Date.now();
  const measures = others.map(({ child }) => {
    const measure = { offline: 0, since: 0 };
    const listener = (/** @type {any} */ { event, value }) => {
      if (event !== 'member' || value.baseUrl !== victim.baseUrl || value.type === 'suspect') return;
      if (value.type === 'offline') measure.since ||= Date.now();
      else end();
    };
    const end = () => {
      if (measure.since) measure.offline += Date.now() - measure.since;
      measure.since = 0;
    };
    child?.on('message', listener);
    return {
      end() {
        child?.off('message', listener);
        end();
        return measure.offline;
      },
    };
  });
  await act();
  const longest = Math.max(...measures.map((measure) => measure.end()));
  return 1 - longest / (Date.now() - began);
}

/**
 * Tells lies about the victim to every other server.
 *
 * @param {Server[]} servers
 * @param {Server} victim
 * @param {{ liar: string, ms: number, next: () => Lie }} options `liar`: base URL; `next` is called for each lie
 */
async function slander(servers, victim, { liar, ms, next }) {
  const client = new Client();
  const others = servers.filter((server) => server !== victim);
  const started = Date.now();
  /** @type {Promise<unknown>[]} */
  const sent = [];
  while (Date.now() < started + ms) {
    const tick = sleep(PACE);
    const [about, another] = await Promise.all([victim, others[sent.length % others.length]].map(askOf(client)));
    if (about && another) {
      const own = { url: liar, stamp: about.stamp, incarnation: started, instance: '1' };
      const lie = next()({ victim: about, liar: own, another });
      for (const { baseUrl } of others) sent.push(client.send(baseUrl, lie));
    }
    await tick;
  }
  await Promise.all(sent);
  client.close();
  return sent.length;
}

/** @param {Client} client */
const askOf = (client) => async (/** @type {Server | undefined} */ server) => server && client.ask(server.baseUrl);

/**
 * Sends requests to one server at a rate, or as fast as it answers if it is slower.
 *
 * @param {Server} server
 * @param {string[]} requests whole HTTP requests, sent in turn
 * @param {{ ms: number, rate: number }} options
 * @returns {Promise<number>} answers a second
 */
async function flood({ port }, requests, { ms, rate }) {
  let [sent, answered] = [0, 0];
  const sockets = Array.from({ length: CONNECTIONS }, () => {
    let rest = '';
    const socket = net.connect(port, '127.0.0.1').on('error', () => {});
    return socket.setEncoding('latin1').on('data', (/** @type {any} */ chunk) => {
      const parts = (rest + chunk).split('HTTP/1.1 ');
      answered += parts.length - 1;
      // The next chunk may bring the rest of such a beginning.
      rest = parts.at(-1)?.slice(-8) ?? '';
    });
  });
  const began = performance.now();
  for (let now = began; now < began + ms; now = performance.now()) {
    const due = Math.min(((now - began) * rate) / 1_000, answered + MAX_WAITING);
    for (; sent < due; sent++) sockets[sent % sockets.length]?.write(requests[sent % requests.length] ?? '');
    await sleep(5);
  }
  for (const socket of sockets) socket.destroy();
  return (answered * 1_000) / (performance.now() - began);
}

/** @param {object} body @param {string} [authorization] */
function httpRequest(body, authorization = SECRET) {
  const text = JSON.stringify(body);
  const head = `POST /clustershazbot/gossip HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n`;
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

/**
 * Small messages from a holder of the secret: in nobody's name, in a stranger's, in that of each other server, of version 1.
 *
 * @param {Server[]} servers
 * @param {Server} victim
 */
async function smallMessages(servers, victim) {
  const client = new Client();
  const others = await Promise.all(servers.filter((server) => server !== victim).map(askOf(client)));
  client.close();
  const members = others.filter((member) => member !== undefined);
  const stranger = { url: 'http://127.0.0.1:9/', stamp: Date.now(), incarnation: Date.now(), instance: '1' };
  const named = [...members, stranger].map((member) => version2(ownWord(member)));
  return [message(), version2(), ...named].map((body) => httpRequest(body));
}

/** Messages of a stranger, each with 1 000 entries without a URL, which no message before it had. */
function badEntries() {
  const stranger = ownWord({ url: 'http://127.0.0.1:9/', stamp: Date.now(), incarnation: Date.now(), instance: '1' });
  const message = (/** @type {number} */ n) =>
    version2(stranger, ...Array.from({ length: 1_000 }, (_, i) => `eo1>${n}x${i}`));
  return Array.from({ length: 300 }, (_, n) => httpRequest(message(n)));
}

/**
 * A signed message of another server, which the victim has handled already.
 *
 * @param {Server} sender
 * @param {Server} victim
 */
async function capturedMessage(sender, victim) {
  const client = new Client();
  const signed = (/** @type {ReturnType<typeof sign>} */ { authorization, body }, /** @type {string} */ to) =>
    client.send(to, body, authorization);
  const time = async (/** @type {string} */ to) => timeOf(to, (it) => signed(it, to));
  const own = memberOf(await signed(sign(sender.baseUrl, '2', { time: await time(sender.baseUrl) }), sender.baseUrl));
  if (!own) throw new Error(`${sender.baseUrl} does not answer a signed message`);
  const captured = sign(victim.baseUrl, `2 ${ownWord(own)}`, { time: await time(victim.baseUrl) });
  await signed(captured, victim.baseUrl);
  client.close();
  return httpRequest(captured.body, captured.authorization);
}

module.exports = { badEntries, capturedMessage, flood, lies, shareOnline, slander, smallMessages };
