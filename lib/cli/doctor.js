'use strict';

const { mustBeWritable, readList, shown } = require('./places.js');
const { LOOPBACK, Refusal, ask, parsed, send, serverOf } = require('./server.js');
const { plain, span } = require('./show.js');

/** Servers beside this one that are asked. */
const PEERS = 3;
/** Clocks that differ by more are worth a word, and by more than the other are a fault, ms. */
const NOTABLE = 60_000;
const FAULT = 3_600_000;
/** How often more than once the server is asked, lest it is several processes. */
const TWINS = 4;

/** @typedef {{ what: string, is: 'fine' | 'worth a look' | 'wrong', says: string }} Finding */

/**
 * Looks at all that a server needs, from here, and changes nothing.
 * @param {{ env: NodeJS.ProcessEnv, options: import('./server.js').Options, json: boolean, colour: boolean }} context
 * @returns {Promise<number>} 1 where something is wrong
 */
async function doctor({ env, options, json, colour }) {
  /** @type {Finding[]} */
  const findings = looked(env);
  const isValid = findings.every(({ is }) => is !== 'wrong');
  const add = (/** @type {string} */ what, /** @type {Finding['is']} */ is, /** @type {string} */ says) =>
    findings.push({ what, is, says });
  const state = env.SHAZBOT_STATE_FILE;
  if (state) {
    const fine = `${state} can be written by the user of this command`;
    await mustBeWritable(state).then(
      () => add('SHAZBOT_STATE_FILE', 'fine', fine),
      ({ message }) => add('SHAZBOT_STATE_FILE', 'wrong', message),
    );
  }
  /** @type {import('./server.js').Server} */
  let server;
  try {
    server = serverOf(options, env);
  } catch (error) {
    if (!(error instanceof Refusal) || error.kind !== 'no server') throw error;
    add('own URL', 'wrong', error.message);
    return tell();
  }
  const { timeout, base, listed } = server;

  /** @type {Set<string>} */
  const known = new Set();
  /**
   * Those that a list names, and those of them that the engine would neither list nor ask.
   * @param {any} lists
   */
  const servers = (lists) => {
    /** @type {string[]} */
    const all = (Array.isArray(lists?.online) ? lists.online : []).map((/** @type {any} */ it) => String(it?.baseUrl));
    // Where the environment is wrong, nothing says whom it lets in.
    if (!isValid) return { all, refused: [] };
    /** @type {(string | null)[]} */
    const why = require('../binary.js').Engine.checkUrls(env, all);
    for (const [i, url] of all.entries()) {
      const href = parsed(url)?.href;
      if (href && !why[i]) known.add(href);
    }
    return { all, refused: all.flatMap((url, i) => (why[i] ? [{ url, why: why[i] }] : [])) };
  };

  const words = (/** @type {string | undefined} */ text = '') => text.split(/\s+/).filter(Boolean);
  const writtenTo = words(env.SHAZBOT_MASTER_LIST_UPDATE);
  for (const [i, place] of words(env.SHAZBOT_MASTER_LIST).entries()) {
    // Of one that is no URL the engine has spoken.
    if (!URL.canParse(place)) continue;
    const name = `master list ${shown(place)}`;
    try {
      const { found, says } = await readList(place, env.SHAZBOT_MASTER_LIST_AUTH, timeout);
      const { all, refused } = servers(found);
      const isAmong = all.some((url) => parsed(url)?.href === listed);
      const among = all.length === 0 ? '' : `, this server ${isAmong ? '' : 'not '}among them`;
      const to = writtenTo[i] ?? place;
      if (to.startsWith('file:')) await mustBeWritable(to);
      add(name, 'fine', says + among);
      const [first] = refused;
      if (first) {
        const one = `${shown(first.url)} for one: ${first.why}`;
        add(name, 'worth a look', `${refused.length} of them are not taken here, ${one}`);
      }
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      add(name, 'wrong', `${message}. See docs/master-list.md, and SHAZBOT_MASTER_LIST(_AUTH)`);
    }
  }

  const running = await runs();
  if (await look(base, 'own URL', true)) await gossip();
  if (running) status(running);
  if (LOOPBACK.test(new URL(listed).hostname)) {
    add(
      'own URL',
      'worth a look',
      `${listed} leads every other machine to itself: only processes of this one reach it`,
    );
  }
  const peers = [...known].filter((url) => url !== base.href && url !== listed).slice(0, PEERS);
  /** Lists of others, each with whether this server is online there. @type {boolean[]} */
  const listing = [];
  for (const peer of peers) await look(new URL(peer), 'peer', false);
  if (peers.length > 0 && !listing.includes(true) && running?.state !== 'drained') {
    const nobody = `none of ${peers.length} others that were asked answers with its list`;
    const unknown = `none of ${listing.length} others lists this server: SHAZBOT_SECRET, SHAZBOT_AUTH or SHAZBOT_CLUSTER is another there, or SHAZBOT_BASE_URL does not lead here`;
    if (listing.length === 0) add('peers', 'worth a look', nobody);
    else add('peers', 'wrong', unknown);
  }
  if (!isValid) add('peers', 'worth a look', 'no other server is asked before the environment is right');
  else if (peers.length === 0)
    add('peers', 'worth a look', 'no other server is named by the master list or by this server');

  return tell();

  function tell() {
    if (json) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
    else
      for (const { what, is, says } of findings)
        process.stdout.write(`${sign(is, colour)} ${plain(`${what}: ${says}`)}\n`);
    return findings.some(({ is }) => is === 'wrong') ? 1 : 0;
  }

  /**
   * The status of the running server, if it can be had. Several processes may answer in turn.
   * @returns {Promise<import('../../index.js').ShazbotStatus | undefined>}
   */
  async function runs() {
    if (!server.secret) return undefined;
    try {
      const first = await ask(server, 'status');
      const starts = new Set([first.startedAt]);
      for (let i = 0; i < TWINS; i++) starts.add((await ask(server, 'status')).startedAt);
      if (starts.size > 1) {
        const says = `${starts.size} processes answer at ${base}, or more: give each a base URL of its own`;
        add('own URL', 'wrong', `${says} (EXAMPLES.md, "PM2 and node:cluster")`);
      }
      return first;
    } catch (error) {
      // That nobody answers is told elsewhere; and routes that are written by hand have no status.
      if (!(error instanceof Refusal)) throw error;
      if (error.kind === 'wrong secret') add('control secret', 'wrong', error.message);
      return undefined;
    }
  }

  /**
   * What the running server has found itself.
   * @param {import('../../index.js').ShazbotStatus} status
   */
  function status({ exchanges, interval, masterLists }) {
    const { rejected, answered } = exchanges.out;
    const differs = 'SHAZBOT_SECRET, SHAZBOT_AUTH or SHAZBOT_CLUSTER is another there. Its warnings say whose';
    const says = `${answered} answered since its start, ${rejected} rejected`;
    if (rejected === 0) add('exchanges', 'fine', says);
    else add('exchanges', answered === 0 ? 'wrong' : 'worth a look', `${says}: ${differs}`);
    for (const { name, error } of masterLists) if (error) add(`master list ${name}, by the server`, 'wrong', error);
    const set = Number(env.SHAZBOT_GOSSIP_INTERVAL || 30);
    if (isValid && set !== interval) {
      const runs = `it is ${set} s here, and the server runs with ${interval} s: give all servers the same`;
      add('SHAZBOT_GOSSIP_INTERVAL', 'worth a look', runs);
    }
  }

  /** Whether the server takes the secret of the environment. It is told nothing: what is sent is no message. */
  async function gossip() {
    const { SHAZBOT_SECRET: secret, SHAZBOT_AUTH: auth = '', SHAZBOT_BASE_URL: own = '' } = env;
    // Sent where the engine itself sends it, and to this server alone.
    if (!isValid || !/^(?:plain)?$/.test(auth) || new URL(own).origin !== base.origin) return;
    const body = '{"message":"gossip","online":0}';
    const { status, json } = await send(routeOf(base, 'gossip'), { timeout, secret, body }).catch((error) => {
      return { status: 'nothing', json: { error: error.message } };
    });
    // Routes of version 1 answer 401 to whatever is wrong.
    if (status === 400 || /^Invalid gossip message/.test(json?.error))
      add('gossip secret', 'fine', 'the server takes SHAZBOT_SECRET');
    else add('gossip secret', 'wrong', `the server answers ${status} to SHAZBOT_SECRET: ${json?.error ?? 'no reason'}`);
  }

  /**
   * @param {URL} url
   * @param {string} what
   * @param {boolean} isOwn
   * @returns {Promise<boolean>} whether its gossip route is there
   */
  async function look(url, what, isOwn) {
    const name = `${what} ${shown(url.href)}`;
    const remedy = isOwn
      ? 'Does the program run, and is SHAZBOT_BASE_URL the URL at which others reach it?'
      : 'If it runs: a firewall, or its own SHAZBOT_BASE_URL';
    try {
      // The others' secret does not go to whoever is named in a list.
      const found = await send(routeOf(url, 'list'), { timeout });
      const [is, says] = judged(found, remedy);
      if (is === 'wrong') {
        add(name, is, says);
        return false;
      }
      const lists = servers(found.json).all.some((url) => parsed(url)?.href === listed);
      const hasList = found.status === 200;
      if (!isOwn && hasList) listing.push(lists);
      if (lists || !hasList) add(name, is, says);
      else if (isOwn) add(name, 'worth a look', `${says}, itself not among them: ${unlisted()}`);
      else add(name, 'fine', `${says}, this server not among them`);
      clock(url, found.date);
      const body = '{"message":"gossip","online":[]}';
      const { status } = await send(routeOf(url, 'gossip'), { timeout, secret: 'none', body });
      if (status === 401) return true;
      const answers = `POST clustershazbot/gossip answers ${status} to a wrong secret, not 401`;
      add(`gossip route of ${shown(url.href)}`, 'wrong', `${answers}: is the route there, behind a JSON body parser?`);
    } catch (error) {
      add(name, isOwn ? 'wrong' : 'worth a look', `${/** @type {Error} */ (error).message}. ${remedy}`);
    }
    return false;
  }

  function unlisted() {
    if (!running) return 'it is drained, or another server answers here';
    if (running.state === 'drained') return 'it is drained; `clustershazbot online` takes it back';
    return `the server that answers calls itself ${running.baseUrl}: its SHAZBOT_BASE_URL is another than here`;
  }

  /**
   * @param {URL} url
   * @param {number} date what it answers with
   */
  function clock(url, date) {
    const ahead = date - Date.now();
    const differs = Math.abs(ahead);
    if (!(differs > NOTABLE)) return;
    const says = `its clock is ${span(differs)} ${ahead > 0 ? 'ahead of' : 'behind'} the one here`;
    add(`clock of ${shown(url.href)}`, differs > FAULT ? 'wrong' : 'worth a look', says);
  }
}

/**
 * What the engine says of the environment.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Finding[]}
 */
function looked(env) {
  let checked;
  try {
    // The other commands need no binary, and this one says why there is none.
    checked = require('../binary.js').Engine.check(env);
  } catch (error) {
    return [{ what: 'binary', is: 'wrong', says: /** @type {Error} */ (error).message }];
  }
  if (!Array.isArray(checked)) {
    // Several have a line of their own above them.
    const lines = checked.message.split('\n');
    return lines
      .slice(lines.length > 1 ? 1 : 0)
      .map((says) => ({ what: 'environment', is: 'wrong', says: says.trim() }));
  }
  if (checked.length > 0) return checked.map((says) => ({ what: 'environment', is: 'worth a look', says }));
  return [{ what: 'environment', is: 'fine', says: 'every variable makes sense' }];
}

/**
 * @param {URL} base
 * @param {'list' | 'gossip'} route
 */
function routeOf(base, route) {
  return new URL(`clustershazbot/${route}`, base);
}

/**
 * What the answer of a list route says of its server.
 * @param {{ status: number, json: any, took: number }} answer
 * @param {string} remedy
 * @returns {[Finding['is'], string]}
 */
function judged({ status, json: lists, took }, remedy) {
  if (status === 503)
    return ['wrong', 'it answers 503: the program runs, and shazbotStart has not been called, or has failed'];
  if (status === 401) return ['fine', 'it answers, and shows its list for a secret only'];
  if (status !== 200 || !Array.isArray(lists?.online)) {
    const and = status === 404 ? 'no such route' : 'and no list';
    return ['wrong', `GET clustershazbot/list answers ${status}, ${and}. ${remedy}`];
  }
  return ['fine', `it answers after ${took} ms, and lists ${lists.online.length} online`];
}

/**
 * @param {Finding['is']} is
 * @param {boolean} colour
 */
function sign(is, colour) {
  const [mark, number] = {
    fine: /** @type {const} */ (['ok   ', 32]),
    'worth a look': /** @type {const} */ (['look ', 33]),
    wrong: /** @type {const} */ (['WRONG', 31]),
  }[is];
  return colour ? `\x1b[${number}m${mark}\x1b[0m` : mark;
}

module.exports = { doctor };
