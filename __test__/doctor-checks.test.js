'use strict';

// The checks of doctor that look at other servers and at wrong answers: each names cause and remedy.

const assert = require('node:assert/strict');
const { writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { environment, fileList } = require('../harness/cluster.js');
const { startFakePeer, unusedUrl } = require('../harness/fake-peer.js');
const { folder } = require('../harness/folder.js');
const { checkClocks, checkIntervals, checkSplit, checkVersions } = require('../lib/cli/doctor/agreement.js');
const { checkMasterLists, checkMasterListsOfServer } = require('../lib/cli/doctor/master-lists.js');
const { checkListed, checkMembers } = require('../lib/cli/doctor/members.js');
const { checkExchanges, checkGossipSecret } = require('../lib/cli/doctor/own-server.js');
const { checkWarnings } = require('../lib/cli/doctor/warnings.js');
const { AT, NONE, NONE_PASSED, TARGET, asked, failed, member } = require('./support/asked.js');
const { root, runToEnd } = require('./support/programs.js');

const BIN = path.join(root, 'bin', 'clustershazbot.js');
/**
 * Runs doctor with a valid environment.
 * @param {string} baseUrl
 * @param {Record<string, string>} [env]
 */
const doctor = (baseUrl, env = {}) =>
  runToEnd([BIN, 'doctor', '--ask-all', '--timeout', '1'], {
    env: { ...environment(baseUrl), ...fileList().env, ...env },
  });

describe('doctor names what answers in the place of the routes', () => {
  const html = { 'content-type': 'text/html; charset=utf-8' };
  for (const [name, status, headers, body, expected] of /** @type {const} */ ([
    [
      'a missing prefix',
      404,
      html,
      '<p>Cannot GET',
      /list is answered 404 with text\/html\n +If .* global prefix such as \/api/,
    ],
    ['a guard', 401, {}, '{"message":"Unauthorized"}', /answered 401\n +Exempt the paths below \/clustershazbot/],
    ['a rate limit', 429, {}, '{"message":"Too Many Requests"}', /answered 429\n +Exempt .* rate limit/],
    [
      'a redirect',
      301,
      { location: 'https://a/' },
      '',
      /answered 301 and redirects to https:\/\/a\/\n +Gossip does not follow redirects\. Set the SHAZBOT_BASE_URL/,
    ],
    [
      'a web page',
      200,
      html,
      '<!doctype html>',
      /answered 200 with text\/html\n +Another program or a web page answers .* Correct the host, port and path/,
    ],
    [
      'an engine that is not started',
      503,
      {},
      '{"error":"Clustershazbot engine not started"}',
      /answered 503: its program runs, but has not started clustershazbot .*\n +The program .* shazbotStart was not called/,
    ],
    ['a proxy without a program', 502, html, 'Bad Gateway', /answered 502 with text\/html\n +A proxy at/],
  ])) {
    test(name, async (t) => {
      const peer = await startFakePeer(t, { answer: () => (res) => res.writeHead(status, headers).end(body) });
      const { code, stdout } = await doctor(peer.baseUrl);
      assert.equal(code, 1);
      assert.match(stdout, expected);
      assert.match(stdout, /^FAIL +base URL +http:.*: GET \/clustershazbot\/list is answered/m);
      assert.doesNotMatch(stdout, /gossip secret|control secret/, 'no secret is blamed');
    });
  }

  test('a process that is stopped', async (t) => {
    const peer = await startFakePeer(t, { answer: () => 'hang' });
    const { code, stdout } = await doctor(peer.baseUrl);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /^FAIL +base URL .*stopped or blocked: connected, no answer in 1 s .*\n +The process .* is stopped/m,
    );
  });

  test('a CSRF protection, which refuses only POST', async (t) => {
    const peer = await startFakePeer(t);
    peer.answer = () => (res) => {
      if (res.req.method === 'POST') res.writeHead(403).end('invalid csrf token');
      else res.end(JSON.stringify({ online: [{ baseUrl: peer.baseUrl }] }));
    };
    const { code, stdout } = await doctor(peer.baseUrl);
    assert.equal(code, 1);
    assert.match(stdout, /^FAIL +base URL .*POST \/clustershazbot\/gossip is answered 403.*\n +Exempt .*CSRF/m);
  });

  test('a server that is alone, although the master list names it', async (t) => {
    const own = await startFakePeer(t);
    const pod = await startFakePeer(t);
    /** @type {Set<string | undefined>} */
    const received = new Set();
    for (const peer of [own, pod]) {
      peer.answer = (request) => (res) => {
        if (peer === pod) received.add(request.authorization);
        if (res.req.method === 'POST') res.writeHead(401).end('{"error":"Unauthorized: Invalid SHAZBOT_SECRET"}');
        else res.end(JSON.stringify({ online: [{ baseUrl: peer.baseUrl }] }));
      };
    }
    const list = fileList();
    writeFileSync(list.file, JSON.stringify({ online: [pod.entry()] }));
    const { code, stdout } = await doctor(own.baseUrl, list.env);
    assert.equal(code, 1);
    const groups = `2 groups that do not see each other: [${own.baseUrl}] and [${pod.baseUrl}]`;
    assert.ok(stdout.includes(groups), stdout);
    assert.deepEqual([...received], [undefined, 'none'], 'a server that only a list names gets no secret');
  });

  test('a .env file that was not read', async () => {
    const cwd = folder();
    const baseUrl = await unusedUrl();
    const lines = Object.entries({ ...environment(baseUrl), ...fileList().env }).map(
      ([key, value]) => `${key}=${value}`,
    );
    writeFileSync(path.join(cwd, '.env'), lines.join('\n'));
    const without = await runToEnd([BIN, 'doctor'], { cwd, env: { SHAZBOT_BASE_URL: baseUrl } });
    assert.match(
      without.stdout,
      /^warn +environment +the file \.env in this folder was not read\n +.*--env-file \.env/m,
    );
    const unset = await runToEnd([BIN, 'doctor'], { cwd });
    assert.deepEqual([unset.code, unset.stdout], [2, ''], 'there is nothing to check');
    assert.match(unset.stderr, /^No server given\. .*--url .*--env-file \.env.*configuration in code.*\n$/);
    const { stdout } = await runToEnd([BIN, 'doctor', '--env-file', '.env'], { cwd });
    assert.match(stdout, /^ok +environment +all variables are valid$/m);
    assert.match(stdout, /^FAIL +base URL .*connection refused/m);
  });
});

describe('the checks', () => {
  test('exchanges: none answered and some failed is a failure, with their kinds', () => {
    const own = (/** @type {object} */ out, /** @type {object} */ more) =>
      asked('a', {
        members: [member('a'), member('b')],
        status: { exchanges: { out: { answered: 0, ...NONE, ...out } }, ...more },
      });
    const check = (/** @type {any} */ it) => checkExchanges(/** @type {any} */ ({ own: it }))[0];
    const none = check(own({ refused: 3, timedOut: 2 }, {}));
    assert.deepEqual(
      [none?.result, none?.found],
      ['fail', '0 answered since its start, 5 failed (3 refused, 2 timed out)'],
    );
    assert.equal(check(own({ answered: 9, rejected: 1 }, { lastOut: { at: AT - 1_000 } }))?.result, 'ok');
    assert.equal(check(own({ answered: 9 }, { lastOut: { at: AT - 600_000 } }))?.result, 'warn');
  });

  test('gossip secret: only our own answer counts', () => {
    const check = (/** @type {any} */ json) =>
      checkGossipSecret(/** @type {any} */ ({ gossipSecret: { status: 401, json }, own: asked('a', {}) })).map(
        (it) => it.result,
      );
    assert.deepEqual(check({ message: 'Unauthorized' }), []);
    assert.deepEqual(check({ error: 'Unauthorized: Invalid SHAZBOT_SECRET', code: 'SHAZBOT_UNAUTHORIZED' }), ['fail']);
  });

  test('members: one that is down is a warning, one that is kept apart a failure, with what the servers found', () => {
    const down = { code: 'ECONNREFUSED', text: 'connection refused' };
    const check = (/** @type {object} */ state, /** @type {any} */ answer) => {
      const own = asked('a', { members: [member('a'), member('b'), member('x', state)] });
      const others = [asked('b', { members: [member('a'), member('b'), member('x', state)] }), asked('x', answer)];
      return checkMembers(
        /** @type {any} */ ({ own, others, places: [], isValid: true, passedOver: NONE_PASSED, target: TARGET }),
      ).slice(1);
    };
    const [refused] = check(failed('ECONNREFUSED'), { problem: down });
    assert.equal(refused?.result, 'warn');
    assert.equal(refused?.found, 'http://x:3000/: failed for 36 s, as http://a:3000/, http://b:3000/ report');
    assert.match(
      String(refused?.advice),
      /^2 of 2 servers cannot reach it: connection refused .*Nothing listens on x:3000/,
    );
    assert.equal(check(failed('ECONNREFUSED'), {})[0]?.result, 'fail', 'it answers here');
    for (const code of ['CERT_HAS_EXPIRED', 'HTTP_404', 'SHAZBOT_UNAUTHORIZED']) {
      assert.equal(check(failed(code), { problem: { code, text: code } })[0]?.result, 'fail', code);
    }
    const sending = { ...failed('ETIMEDOUT'), heard: AT };
    assert.equal(
      check(sending, { problem: { code: 'ETIMEDOUT', text: 'no connection' } })[0]?.result,
      'fail',
      'it runs',
    );
    assert.deepEqual(check({}, {}), []);
    assert.equal(
      check({ state: 'offline', reason: 'failed' }, { problem: down })[0]?.result,
      'warn',
      'of an older server',
    );
    assert.deepEqual(check({ state: 'offline', reason: 'drained' }, {}), []);
  });

  test('members: the others cannot reach this server', () => {
    const own = asked('a', { members: [member('a'), member('b')] });
    const others = [asked('b', { members: [member('a', failed('ETIMEDOUT')), member('b')] })];
    const facts = /** @type {any} */ ({
      own,
      others,
      places: [],
      isValid: true,
      passedOver: NONE_PASSED,
      target: TARGET,
    });
    const [, row] = checkMembers(facts);
    assert.deepEqual([row?.result, row?.found], ['fail', 'http://a:3000/: failed for 36 s, as http://b:3000/ reports']);
    assert.match(String(row?.advice), /no connection: .*firewall drops/);
    assert.equal(checkListed(facts)[0]?.result, 'ok', 'the secret is not blamed');
  });

  test('split: two groups are named, a drained server and a one-way link do not split', () => {
    const check = (/** @type {Record<string, string[]>} */ lists) => {
      const [own, ...others] = Object.entries(lists).map(([name, online]) => asked(name, { online }));
      return checkSplit({ own, others, places: [], target: TARGET })[0];
    };
    assert.equal(check({ a: ['a', 'b'], b: ['a', 'b'], c: ['a', 'b'] })?.result, 'ok');
    assert.equal(check({ a: ['a'], b: ['b', 'c'], c: ['a', 'c'] })?.result, 'ok', 'c lists a');
    const [own, pod] = [asked('a', { online: ['a', 'b'] }), asked('10.0.0.3', { online: ['c'] })];
    assert.equal(
      checkSplit({ own, others: [], places: [pod], target: TARGET })[0]?.result,
      'fail',
      'a pod that only DNS names is alone',
    );
    const split = check({ a: ['a', 'b'], b: ['a', 'b'], c: ['c', 'd'], d: ['c', 'd'] });
    assert.deepEqual(
      [split?.result, split?.found],
      [
        'fail',
        '2 groups that do not see each other: [http://a:3000/, http://b:3000/] and [http://c:3000/, http://d:3000/]',
      ],
    );
  });

  test('clocks: the one that differs from most is reported, and fails above an hour', () => {
    const check = (/** @type {number[]} */ ...ahead) => {
      const [own, ...others] = ahead.map((clockAhead, i) => asked(`s${i}`, { clockAhead }));
      return checkClocks({ own, others, target: TARGET }).map(({ result, found }) => `${result} ${found}`);
    };
    assert.deepEqual(check(0, 59_000, -400), ['ok this machine and 3 servers: less than a minute apart']);
    assert.deepEqual(check(0, 120_000, 0), ['warn http://s1:3000/ is 2 min ahead of the others']);
    assert.deepEqual(check(0, 0, -7_200_000), ['fail http://s2:3000/ is 2 h behind the others']);
    assert.deepEqual(check(240_000, 240_000, 240_000), ['warn this machine is 4 min behind the others']);
    assert.deepEqual(check(Number.NaN), [], 'an answer without a Date header is not reported');
  });

  test('versions and intervals: those that differ are named with their servers', () => {
    const own = asked('a', {});
    const others = [asked('b', {}), asked('c', { status: { version: '2.1.0', interval: 5 } })];
    const facts = /** @type {any} */ ({
      own,
      others,
      env: { SHAZBOT_GOSSIP_INTERVAL: '30' },
      isValid: true,
      target: { hasUrl: false },
    });
    assert.equal(checkVersions(facts)[0]?.found, '2.0.0 on http://a:3000/, http://b:3000/; 2.1.0 on http://c:3000/');
    assert.equal(checkIntervals(facts)[0]?.found, '30 s on http://a:3000/, http://b:3000/; 5 s on http://c:3000/');
    assert.deepEqual([checkVersions(facts)[0]?.result, checkIntervals(facts)[0]?.result], ['warn', 'warn']);
  });

  test('warnings: each is shown once, with the servers that report it', () => {
    const warnings = [
      { code: 'SHAZBOT_WEAK_SECRET', message: 'short', since: AT - 60_000 },
      { code: 'SHAZBOT_ALONE', message: 'knows no other', since: AT - 5_000 },
    ];
    const own = asked('a', { status: { warnings } });
    const others = [asked('b', { status: { warnings: warnings.slice(0, 1) } }), asked('c', {})];
    assert.deepEqual(checkWarnings({ own, others }), [
      {
        result: 'warn',
        check: 'warnings',
        found: 'SHAZBOT_WEAK_SECRET for 60 s, as http://a:3000/, http://b:3000/ report',
        advice: 'short',
      },
      {
        result: 'fail',
        check: 'warnings',
        found: 'SHAZBOT_ALONE for 5 s, as http://a:3000/ reports',
        advice: 'knows no other',
      },
    ]);
  });

  test('warnings: one cause on many servers is one row', () => {
    const refused = (/** @type {string} */ name) => ({
      code: 'SHAZBOT_PEER_REFUSED_SECRET',
      message: `${name} rejects our secret`,
      subject: `http://${name}:3000/`,
      since: AT - 60_000,
    });
    const own = asked('a', { status: { warnings: ['b', 'c', 'd'].map(refused) } });
    const others = [asked('b', { status: { warnings: [refused('a')] } })];
    assert.deepEqual(checkWarnings({ own, others }), [
      {
        result: 'fail',
        check: 'warnings',
        found: 'SHAZBOT_PEER_REFUSED_SECRET for 60 s, as http://a:3000/, http://b:3000/ report',
        advice: 'b rejects our secret (3 more with this code)',
      },
    ]);
  });

  test('a master list on the machine of a failed member is a warning, if another list works', () => {
    const lists = ['http://b:8080/list.json', 'http://c:8080/list.json'];
    const members = [member('b', failed('ECONNREFUSED')), member('c')];
    const results = (/** @type {(string | undefined)[]} */ errors) => {
      const masterLists = lists.map((url, n) => ({ url, error: errors[n], urls: [], ignored: [] }));
      const status = { masterLists: lists.map((name, n) => ({ name, error: errors[n], failures: 3 })) };
      const facts = /** @type {any} */ ({ own: asked('a', { members, status }), masterLists, target: TARGET });
      return [checkMasterLists, checkMasterListsOfServer].map((check) => check(facts)[0]);
    };
    for (const it of results(['connection refused', undefined])) {
      assert.equal(it?.result, 'warn');
      assert.match(String(it?.advice), /^It is on the machine of http:\/\/b:3000\/, which is offline\./);
    }
    for (const it of [
      ...results(['the store answers 401', undefined]),
      ...results(['connection refused', 'connection refused']),
    ])
      assert.equal(it?.result, 'fail');
    lists.reverse();
    for (const it of results(['connection refused', undefined])) assert.equal(it?.result, 'fail', 'c is up');
  });
});
