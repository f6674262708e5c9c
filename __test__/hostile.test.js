'use strict';

const assert = require('node:assert/strict');
const { Readable, pipeline } = require('node:stream');
const { after, before, describe, test } = require('node:test');
const { deflateSync, gzipSync } = require('node:zlib');

const { certificates, missing } = require('./support/certificates.js');
const { agree, fileList, startServers } = require('../harness/cluster.js');
const { nobody, startFakePeer } = require('../harness/fake-peer.js');
const { entry, gossip, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');
const { until } = require('../harness/until.js');

/** @typedef {import('node:test').TestContext} TestContext */
/** @typedef {Awaited<ReturnType<typeof startFakePeer>>} Peer */
/** @typedef {import('../harness/fake-peer.js').Writer} Writer */
/** @typedef {Iterable<Buffer | string>} Chunks */
/** @typedef {{ now: number, most: number }} Memory of a process, in bytes */

const MB = 2 ** 20;
/** By how much a process may be larger than it was at rest, at any time. */
const GROWTH = 20 * MB;
/** Answers that a server gets of each kind. */
const ANSWERS = 5;
/** Of the larger ones, so long that it is read to the end. */
const LONG = 7 * MB;
/** What an answer may cost whoever sends it: what is read of it, and what the system takes in unread. */
const TAKEN = 64 * MB;

/** Four servers, one of which meets a peer that is told what to answer. */
class Scene {
  /** @type {(() => unknown)[]} */
  #cleanups = [];
  /** @type {import('../harness/cluster.js').Scope} */
  scope = { after: (cleanup) => this.#cleanups.unshift(cleanup) };
  born = Date.now();

  /** @param {Record<string, string>} [env] */
  async start(env) {
    this.peer = await startFakePeer(this.scope);
    // What V8 sets aside for new objects is as large as the largest burst of them, and no growth.
    const small = { NODE_OPTIONS: '--max-semi-space-size=1' };
    // A server that a busy machine keeps from answering for a second is no victim of the peer.
    const patient = { SHAZBOT_GOSSIP_INTERVAL: '2' };
    const all = { ...fileList().env, ...small, ...patient, ...env };
    this.servers = await startServers(this.scope, 4, { env: all });
    await agree(this.servers, { online: this.servers });
  }

  async end() {
    for (const cleanup of this.#cleanups) await cleanup();
  }

  get victim() {
    const victim = this.servers?.[0];
    assert.ok(victim && this.peer, 'it has started');
    return { ...this, victim, peer: this.peer, servers: this.servers ?? [] };
  }

  /**
   * Has the victim ask a peer: the peer says that it hears no answer, and wants itself tried.
   *
   * @param {string} peer base URL
   */
  async speak(peer) {
    const { victim } = this.victim;
    const shazbot = `2 so${Date.now()}>${peer}>${this.born}.1 u q${peer}`;
    assert.equal((await gossip(victim.baseUrl, { ...message(), shazbot })).status, 200);
  }

  /**
   * Has the victim be answered so, again and again, until it is enough.
   *
   * @param {Writer} write
   * @param {(answers: number) => boolean} isEnough
   */
  async answer(write, isEnough) {
    const { victim, peer } = this.victim;
    let answers = 0;
    peer.answer = ({ body }) => {
      if (body?.online[0]?.baseUrl !== victim.baseUrl) return 'reset';
      answers += 1;
      return write;
    };
    await until(() => this.speak(peer.baseUrl).then(() => isEnough(answers)), {
      timeout: 30_000,
      every: 100,
      what: 'answers enough',
    });
    peer.answer = () => 'reset';
  }

  /**
   * The same with what is no answer, or a bad one, and may take no room in the meantime either.
   *
   * @param {TestContext} t
   * @param {Writer} write
   * @param {(answers: number, failures: number) => boolean} [isEnough]
   */
  async suffers(t, write, isEnough = (_, failures) => failures >= ANSWERS) {
    const { victim, peer } = this.victim;
    const { idle, most } = await this.unharmed(t, () => {
      const before = victim.logs.length;
      const isFailure = (/** @type {{ message: string }} */ log) => log.message.includes(`${peer.baseUrl} failed`);
      const failures = () => victim.logs.slice(before).filter(isFailure).length;
      return this.answer(write, (answers) => isEnough(answers, failures()));
    });
    assert.ok(most <= Math.max(idle.most, idle.now + GROWTH), `${inMb(idle.now)} at rest, at most ${inMb(most)}`);
  }

  /**
   * Does something, after which all servers must be as they were.
   *
   * @param {TestContext} t
   * @param {() => Promise<unknown>} act
   */
  async unharmed(t, act) {
    const { victim, servers } = this.victim;
    const size = () => /** @type {Promise<Memory>} */ (victim.order('memory'));
    const idle = await size();
    await act();
    for (const path of ['ordinary', 'clustershazbot/list', 'plain/clustershazbot/list']) {
      assert.equal((await request(`${victim.local}${path}`)).status, 200, path);
    }
    assert.equal((await gossip(victim.baseUrl, message())).status, 200);
    const urls = servers.map(({ baseUrl }) => baseUrl);
    for (const server of servers) {
      const { online } = await server.view();
      assert.deepEqual(
        urls.filter((url) => !online.includes(url)),
        [],
        `offline, as ${server.baseUrl} sees it`,
      );
      const isOfLiving = (/** @type {string} */ text) => urls.some((url) => text.startsWith(`${url} is offline`));
      const deaths = server.logs.filter(({ message: text }) => isOfLiving(text));
      assert.deepEqual(deaths, [], `in the log of ${server.baseUrl}`);
    }
    const after = await until(() => size().then((it) => it.now < idle.now + GROWTH && it), {
      timeout: 5_000,
      what: `the process is no larger than ${inMb(idle.now + GROWTH)}`,
    });
    t.diagnostic(`at rest ${inMb(idle.now)}, at most ${inMb(after.most)}, then ${inMb(after.now)}`);
    return { idle, most: after.most };
  }
}

/** @param {number} bytes */
const inMb = (bytes) => `${(bytes / MB).toFixed(1)} MB`;

/**
 * @param {string} title
 * @param {(scene: Scene) => void} tests
 * @param {(scene: Scene) => Record<string, string>} [env]
 */
function scene(title, tests, env) {
  describe(title, { concurrency: 1 }, () => {
    const it = new Scene();
    before(() => it.start(env?.(it)));
    after(() => it.end());
    tests(it);
  });
}

/**
 * @param {string | Buffer} body
 * @param {Record<string, string>} [headers]
 * @param {number} [status]
 * @returns {Writer}
 */
function whole(body, headers = {}, status = 200) {
  return (res) => void res.writeHead(status, { connection: 'close', ...headers }).end(body);
}

/** @param {string} inside @returns {Writer} */
const online = (inside) => whole(`{"message":"gossip","online":${inside}}`);

/**
 * Sends as fast as it is taken in, until nobody listens or it is over.
 *
 * @param {() => Chunks} chunks
 * @param {Record<string, string | number>} [headers]
 * @returns {Writer}
 */
function streamed(chunks, headers = {}) {
  return (res) => {
    res.writeHead(200, { connection: 'close', ...headers });
    pipeline(Readable.from(chunks(), { objectMode: false }), res, () => {});
  };
}

/**
 * The same below HTTP.
 *
 * @param {() => Chunks} chunks
 * @returns {Writer}
 */
function raw(chunks) {
  return ({ socket }) => {
    if (socket) pipeline(Readable.from(chunks(), { objectMode: false }), socket, () => {});
  };
}

/** @param {string} text @param {string} [before] */
function* forever(text, before = '') {
  yield before || text;
  const chunk = Buffer.from(text.repeat(2 ** 15 / text.length));
  for (;;) yield chunk;
}

describe('a hostile peer', { concurrency: true }, () => {
  scene('that answers with what is no message', (it) => {
    const twice = ['[', ']'].map((bracket) => bracket.repeat(LONG / 2));
    /** @type {Record<string, Writer>} */
    const answers = {
      'an empty object': whole('{}'),
      HTML: whole('<!doctype html><title>It works</title>', { 'content-type': 'text/html' }),
      'a gzip bomb': whole(gzipSync(Buffer.alloc(LONG)), { 'content-encoding': 'gzip' }),
      'a deflate bomb': whole(deflateSync(Buffer.alloc(LONG)), { 'content-encoding': 'deflate' }),
      'text that is not UTF-8': whole(Buffer.from(`{"message":"gossip","online":["${'é'.repeat(LONG)}"]}`, 'latin1')),
      '100 000 open arrays': whole('['.repeat(100_000)),
      'as many in a message': online('['.repeat(100_000)),
      'millions of zeros': whole(`[${'0,'.repeat(LONG / 2)}0]`),
      'millions of zeros for servers': online(`[${'0,'.repeat(LONG / 2)}0]`),
      'a field that is millions of words': online(`[],"shazbot":"2${' e'.repeat(LONG / 2)}"`),
      'an error whose reason is millions of zeros': whole(`{"message":[${'0,'.repeat(LONG / 2)}0]}`, {}, 500),
      'garbage in place of HTTP': raw(() => forever('\u0000\u0001\u0002\u00ff\r\n')),
    };
    for (const [name, answer] of Object.entries(answers)) test(name, (t) => it.suffers(t, answer));

    // A message of which only an entry is bad is an answer.
    test('but for arrays in arrays, millions deep', async (t) => {
      await it.suffers(t, online(twice.join('')), (answers) => answers > ANSWERS);
      const { victim } = it.victim;
      assert.ok(victim.warnings.some(({ code }) => code === 'SHAZBOT_ENTRY_SKIPPED'));
    });

    for (const status of [302, 307]) {
      test(`a redirect with ${status}, which nobody follows`, async (t) => {
        const elsewhere = await startFakePeer(t);
        await it.suffers(t, whole('', { location: `${elsewhere.baseUrl}clustershazbot/gossip` }, status));
        assert.equal(elsewhere.connections, 0);
      });
    }
  });

  scene('that answers without an end', (it) => {
    /** @type {number[]} */
    let taken = [];
    function* zeros() {
      const answer = taken.push(0) - 1;
      const chunk = Buffer.alloc(2 ** 16);
      for (let sent = 0; sent < 2 ** 30; sent += chunk.length) {
        taken[answer] = sent;
        yield chunk;
      }
    }
    /** @type {Record<string, Writer>} */
    const answers = {
      'a gigabyte': streamed(zeros),
      'a gigabyte, as announced': streamed(zeros, { 'content-length': 2 ** 30 }),
    };
    for (const [name, answer] of Object.entries(answers)) {
      test(`${name}, of which no more than 8 MiB are read`, async (t) => {
        taken = [];
        await it.suffers(t, answer);
        assert.ok(Math.max(...taken) < TAKEN, inMb(Math.max(...taken)));
      });
    }

    /** @type {Record<string, Writer>} */
    const others = {
      'a byte a second': (res) => {
        const timer = setInterval(() => res.write('['), 1_000);
        res.on('close', () => clearInterval(timer)).write('[');
      },
      'a header': raw(() => forever('b', 'HTTP/1.1 200 OK\r\na: ')),
      headers: raw(() => forever('a: b\r\n', 'HTTP/1.1 200 OK\r\n')),
      'chunks of a byte': raw(() => forever('1\r\na\r\n', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')),
    };
    for (const [name, answer] of Object.entries(others)) test(name, (t) => it.suffers(t, answer));
  });

  /** @type {ReturnType<typeof certificates> | undefined} */
  let tls;
  /** @returns {Record<string, string>} */
  const trusting = () => {
    if (missing) return {};
    tls = certificates('DNS:another.example.com');
    return { NODE_EXTRA_CA_CERTS: tls.authority };
  };
  scene(
    'that is not what it says, or names those that are not',
    (it) => {
      test('by a certificate of another host: it is told nothing', { skip: missing }, async (t) => {
        const peer = await startFakePeer(t, { tls });
        await it.unharmed(t, () =>
          until(() => it.speak(peer.baseUrl).then(() => peer.connections >= ANSWERS), {
            every: 100,
            what: `${ANSWERS} connections`,
          }),
        );
        assert.deepEqual(peer.received, []);
        const { victim } = it.victim;
        const failures = victim.logs.filter(({ message: text }) => text.includes(peer.baseUrl));
        assert.match(failures.map(({ message: text }) => text).join('\n'), /certificate|NotValidForName/);
      });

      let count = 0;
      let base = '';
      before(async () => {
        base = await nobody();
      });
      const invented = () => Array.from({ length: 1_000 }, () => `${base}x${++count}/`);
      const asV1 = (/** @type {string[]} */ urls) =>
        message([it.victim.peer.entry(), ...urls.map((url) => entry(url))]);
      const asOurs = (/** @type {string[]} */ urls) => {
        const now = Date.now();
        const words = urls.map((url) => `eo${now}>${url}>${now}.1`);
        return { ...message(), shazbot: `2 so${now}>${it.victim.peer.baseUrl}>${it.born}.1 ${words.join(' ')}` };
      };

      test('in requests: a thousand invented servers, nested arrays, wrong types', async (t) => {
        const { victim } = it.victim;
        await it.unharmed(t, async () => {
          for (let n = 0; n < 3; n++) {
            const [urls, more] = [invented(), invented()];
            const wrong = urls.map((url, n) => [null, n, url, [url], { baseUrl: [url] }, { shazbot: {} }][n % 6]);
            for (const body of [
              `{"message":"gossip","online":[${'['.repeat(45_000)}${']'.repeat(45_000)}]}`,
              message(wrong, wrong),
              asV1(urls),
              asOurs(more),
            ]) {
              assert.equal((await gossip(victim.baseUrl, body)).status, 200);
            }
          }
        });
      });

      const kinds = { 'version 1 writes': asV1, 'ours write': asOurs };
      for (const [who, written] of Object.entries(kinds)) {
        test(`in its answers: a thousand invented servers in each, as ${who} them`, async (t) => {
          await it.unharmed(t, () =>
            it.answer(
              (res) => whole(JSON.stringify(written(invented())))(res),
              (answers) => answers >= 10,
            ),
          );
        });
      }
    },
    trusting,
  );
});
