'use strict';

// A hostile peer cannot crash, slow down or fill a server, nor make it list others offline.

const assert = require('node:assert/strict');
const { Readable, pipeline } = require('node:stream');
const { after, before, describe, test } = require('node:test');
const { deflateSync, gzipSync } = require('node:zlib');

const { certificates, missing } = require('../harness/certificates.js');
const { agree, fileList, startServers } = require('../harness/cluster.js');
const { unusedUrl, startFakePeer } = require('../harness/fake-peer.js');
const { entry, gossip, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');
const { until } = require('../harness/until.js');

/** @typedef {import('node:test').TestContext} TestContext */
/** @typedef {Awaited<ReturnType<typeof startFakePeer>>} Peer */
/** @typedef {import('../harness/fake-peer.js').Writer} Writer */
/** @typedef {Iterable<Buffer | string>} Chunks */
/** @typedef {{ now: number, most: number }} Memory resident memory of a process in bytes: now, and at most so far */

const MB = 2 ** 20;
/** How much a process may grow over its idle size, in bytes. */
const GROWTH = 20 * MB;
/** How many answers of each kind a server gets. */
const ANSWERS = 5;
/** Size of a large answer, in bytes: below the limit of 8 MiB, so that the server reads it to the end. */
const LONG = 7 * MB;
/** How many bytes of an answer a peer may get rid of: those that the server reads, and those in socket buffers. */
const SENT = 64 * MB;

/** Four servers, and a peer whose answers to one of them, the victim, the test chooses. */
class Scene {
  /** @type {(() => unknown)[]} */
  #cleanups = [];
  /** @type {import('../harness/cluster.js').Scope} */
  scope = { after: (cleanup) => this.#cleanups.unshift(cleanup) };
  incarnation = Date.now();

  /** @param {Record<string, string>} [env] */
  async start(env) {
    this.peer = await startFakePeer(this.scope);
    // Without this, V8's space for new objects grows with each burst of them, which is not a leak.
    const small = { NODE_OPTIONS: '--max-semi-space-size=1' };
    // On a busy machine a server may take a second to answer, which has nothing to do with the peer.
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
    assert.ok(victim && this.peer, 'the servers have started');
    return { ...this, victim, peer: this.peer, servers: this.servers ?? [] };
  }

  /**
   * Makes the victim contact a peer, by a message in which the peer asks to be probed.
   *
   * @param {string} peer base URL
   */
  async requestProbe(peer) {
    const { victim } = this.victim;
    const shazbot = `2 so${Date.now()}>${peer}>${this.incarnation}.1 u q00000001>${peer}`;
    assert.equal((await gossip(victim.baseUrl, { ...message(), shazbot })).status, 200);
  }

  /**
   * Lets the peer answer the victim like this until it is enough.
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
    await until(() => this.requestProbe(peer.baseUrl).then(() => isEnough(answers)), {
      timeout: 30_000,
      every: 100,
      what: 'enough answers',
    });
    peer.answer = () => 'reset';
  }

  /**
   * Lets the peer answer the victim like this until enough exchanges have failed. All servers must be unharmed, and the
   * victim's memory must not grow in the meantime either.
   *
   * @param {TestContext} t
   * @param {Writer} write
   * @param {(answers: number, failures: number) => boolean} [isEnough]
   */
  async survives(t, write, isEnough = (_, failures) => failures >= ANSWERS) {
    const { victim, peer } = this.victim;
    const { idle, most } = await this.unharmed(t, () => {
      const before = victim.logs.length;
      const isFailure = (/** @type {{ message: string }} */ log) => log.message.includes(`${peer.baseUrl} failed`);
      const failures = () => victim.logs.slice(before).filter(isFailure).length;
      return this.answer(write, (answers) => isEnough(answers, failures()));
    });
    assert.ok(most <= Math.max(idle.most, idle.now + GROWTH), `idle ${inMb(idle.now)}, at most ${inMb(most)}`);
  }

  /**
   * Does something that must not harm any server: all still answer, list each other online, and have not grown.
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
        `not online in the list of ${server.baseUrl}`,
      );
      const deaths = server.events.filter(({ type, baseUrl }) => type === 'offline' && urls.includes(baseUrl));
      assert.deepEqual(deaths, [], `events of ${server.baseUrl}`);
    }
    const after = await until(() => size().then((it) => it.now < idle.now + GROWTH && it), {
      timeout: 5_000,
      what: `the process is smaller than ${inMb(idle.now + GROWTH)}`,
    });
    t.diagnostic(`idle ${inMb(idle.now)}, at most ${inMb(after.most)}, then ${inMb(after.now)}`);
    return { idle, most: after.most };
  }
}

/** @param {number} bytes */
const inMb = (bytes) => `${(bytes / MB).toFixed(1)} MB`;

/**
 * A suite with a scene of its own.
 *
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
 * Sends a complete answer.
 *
 * @param {string | Buffer} body
 * @param {Record<string, string>} [headers]
 * @param {number} [status]
 * @returns {Writer}
 */
function complete(body, headers = {}, status = 200) {
  return (res) => void res.writeHead(status, { connection: 'close', ...headers }).end(body);
}

/** @param {string} list the JSON of the online list @returns {Writer} */
const online = (list) => complete(`{"message":"gossip","online":${list}}`);

/**
 * Sends chunks as fast as the receiver reads them, until it closes the connection or all are sent.
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
 * Like `streamed`, but writes to the socket, without HTTP.
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
  scene('that answers with invalid messages', (it) => {
    const brackets = ['[', ']'].map((bracket) => bracket.repeat(LONG / 2));
    /** @type {Record<string, Writer>} */
    const answers = {
      'an empty object': complete('{}'),
      HTML: complete('<!doctype html><title>It works</title>', { 'content-type': 'text/html' }),
      'a gzip bomb': complete(gzipSync(Buffer.alloc(LONG)), { 'content-encoding': 'gzip' }),
      'a deflate bomb': complete(deflateSync(Buffer.alloc(LONG)), { 'content-encoding': 'deflate' }),
      'text that is not UTF-8': complete(
        Buffer.from(`{"message":"gossip","online":["${'é'.repeat(LONG)}"]}`, 'latin1'),
      ),
      '100 000 open arrays': complete('['.repeat(100_000)),
      '100 000 open arrays in a message': online('['.repeat(100_000)),
      'an array of millions of zeros': complete(`[${'0,'.repeat(LONG / 2)}0]`),
      'millions of zeros in the online list': online(`[${'0,'.repeat(LONG / 2)}0]`),
      'a shazbot field with millions of entries': online(`[],"shazbot":"2${' e'.repeat(LONG / 2)}"`),
      'an error whose message is an array of millions of zeros': complete(
        `{"message":[${'0,'.repeat(LONG / 2)}0]}`,
        {},
        500,
      ),
      'bytes that are not HTTP': raw(() => forever('\u0000\u0001\u0002\u00ff\r\n')),
    };
    for (const [name, answer] of Object.entries(answers))
      test(`harms no server: ${name}`, (t) => it.survives(t, answer));

    // This message has an invalid entry, but is a valid answer.
    test('harms no server: an entry of arrays nested millions deep, which is skipped', async (t) => {
      await it.survives(t, online(brackets.join('')), (answers) => answers > ANSWERS);
      const { victim } = it.victim;
      assert.ok(victim.warnings.some(({ code }) => code === 'SHAZBOT_ENTRY_SKIPPED'));
    });

    for (const status of [302, 307]) {
      test(`harms no server: a redirect with status ${status}, which is not followed`, async (t) => {
        const elsewhere = await startFakePeer(t);
        await it.survives(t, complete('', { location: `${elsewhere.baseUrl}clustershazbot/gossip` }, status));
        assert.equal(elsewhere.connections, 0);
      });
    }
  });

  scene('that answers without end', (it) => {
    /** @type {number[]} */
    let sentBytes = [];
    function* zeros() {
      const answer = sentBytes.push(0) - 1;
      const chunk = Buffer.alloc(2 ** 16);
      for (let sent = 0; sent < 2 ** 30; sent += chunk.length) {
        sentBytes[answer] = sent;
        yield chunk;
      }
    }
    /** @type {Record<string, Writer>} */
    const answers = {
      'a gigabyte': streamed(zeros),
      'a gigabyte, with a Content-Length': streamed(zeros, { 'content-length': 2 ** 30 }),
    };
    for (const [name, answer] of Object.entries(answers)) {
      test(`harms no server, which stops reading after 8 MiB: ${name}`, async (t) => {
        sentBytes = [];
        await it.survives(t, answer);
        assert.ok(Math.max(...sentBytes) < SENT, inMb(Math.max(...sentBytes)));
      });
    }

    /** @type {Record<string, Writer>} */
    const others = {
      'one byte a second': (res) => {
        const timer = setInterval(() => res.write('['), 1_000);
        res.on('close', () => clearInterval(timer)).write('[');
      },
      'a header that never ends': raw(() => forever('b', 'HTTP/1.1 200 OK\r\na: ')),
      'headers that never end': raw(() => forever('a: b\r\n', 'HTTP/1.1 200 OK\r\n')),
      'chunks of one byte': raw(() => forever('1\r\na\r\n', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')),
    };
    for (const [name, answer] of Object.entries(others)) {
      test(`harms no server: ${name}`, (t) => it.survives(t, answer));
    }
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
    'that pretends to be another server, or invents servers',
    (it) => {
      test('gets no message if its certificate is for another host', { skip: missing }, async (t) => {
        const peer = await startFakePeer(t, { tls });
        await it.unharmed(t, () =>
          until(() => it.requestProbe(peer.baseUrl).then(() => peer.connections >= ANSWERS), {
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
        base = await unusedUrl();
      });
      const invented = () => Array.from({ length: 1_000 }, () => `${base}x${++count}/`);
      const asVersion1 = (/** @type {string[]} */ urls) =>
        message([it.victim.peer.entry(), ...urls.map((url) => entry(url))]);
      const asVersion2 = (/** @type {string[]} */ urls) => {
        const now = Date.now();
        const entries = urls.map((url) => `eo${now}>${url}>${now}.1`);
        return {
          ...message(),
          shazbot: `2 so${now}>${it.victim.peer.baseUrl}>${it.incarnation}.1 ${entries.join(' ')}`,
        };
      };

      test('harms no server by requests with a thousand invented servers, nested arrays or wrong types', async (t) => {
        const { victim } = it.victim;
        await it.unharmed(t, async () => {
          for (let n = 0; n < 3; n++) {
            const [urls, more] = [invented(), invented()];
            const invalid = urls.map((url, n) => [null, n, url, [url], { baseUrl: [url] }, { shazbot: {} }][n % 6]);
            for (const body of [
              `{"message":"gossip","online":[${'['.repeat(45_000)}${']'.repeat(45_000)}]}`,
              message(invalid, invalid),
              asVersion1(urls),
              asVersion2(more),
            ]) {
              assert.equal((await gossip(victim.baseUrl, body)).status, 200);
            }
          }
        });
      });

      const formats = { 'version 1': asVersion1, 'protocol 2': asVersion2 };
      for (const [format, write] of Object.entries(formats)) {
        test(`harms no server by answers with a thousand invented servers each, in the format of ${format}`, async (t) => {
          await it.unharmed(t, () =>
            it.answer(
              (res) => complete(JSON.stringify(write(invented())))(res),
              (answers) => answers >= 10,
            ),
          );
        });
      }
    },
    trusting,
  );
});
