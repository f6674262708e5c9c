'use strict';

// The explain command: what each server says of one member, and the conclusion.

const assert = require('node:assert/strict');
const path = require('node:path');
const { describe, test } = require('node:test');

const { CONTROL_SECRET } = require('../harness/cluster.js');
const { startFakePeer, unusedUrl } = require('../harness/fake-peer.js');
const { conclusion } = require('../lib/cli/conclusion.js');
const { AT, MEMBERS, member, refused, serverWith, statusOf } = require('./support/made-up-status.js');
const { root, runToEnd } = require('./support/programs.js');

const BIN = path.join(root, 'bin', 'clustershazbot.js');

/** @param {string[]} args */
const run = (args) => runToEnd([BIN, ...args], { env: { SHAZBOT_CONTROL_SECRET: 'the-control-secret' } });

describe('explain', () => {
  test('shows what each server says of a member, and concludes what is wrong', async (t) => {
    const target = await unusedUrl();
    const failing = member('x', {
      baseUrl: target,
      state: 'offline',
      reason: 'failed',
      by: 'http://a:3000/',
      lastError: refused,
      heard: AT - 130_000,
    });
    const online = member('x', { baseUrl: target });
    const ahead = Date.now() + 120_000;
    const one = await serverWith(t, statusOf([failing], { at: ahead }));
    const two = await serverWith(t, statusOf([online], { at: Date.now() }));
    const gone = await unusedUrl();
    const first = await serverWith(
      t,
      statusOf([
        failing,
        { ...online, baseUrl: one.baseUrl },
        { ...online, baseUrl: two.baseUrl },
        { ...online, baseUrl: gone },
      ]),
    );
    const { code, stdout } = await run(['explain', target, '--ask-all', '--url', first.baseUrl]);
    assert.equal(code, 0);
    assert.match(stdout, /^SERVER +STATE +FOR +WHY +FOUND BY +LAST ERROR +CLOCK +VERSION$/m);
    assert.match(
      stdout,
      new RegExp(`^${one.baseUrl} +failed .* http://a:3000/ +ECONNREFUSED .* \\+2 min +2\\.0\\.0$`, 'm'),
    );
    assert.match(stdout, new RegExp(`^${two.baseUrl} +online .* (0|-\\d\\.\\d) s +2\\.0\\.0$`, 'm'));
    assert.match(stdout, new RegExp(`^${gone} +no answer +connection refused \\(ECONNREFUSED\\)$`, 'm'));
    const { hostname, port } = new URL(target);
    const conclusion = `2 of 3 servers cannot reach it: connection refused (ECONNREFUSED). 1 server reaches it: look for what is between it and the others. Nothing listens on ${hostname}:${port}.`;
    assert.ok(stdout.includes(`\n\n${conclusion}`), stdout);
    const only = await run(['explain', target, '--ask', one.baseUrl, '--ask', two.baseUrl, '--json']);
    const { asked, direct } = JSON.parse(only.stdout);
    assert.deepEqual(asked[0].member, failing);
    assert.ok(Math.abs(asked[0].clockAhead - 120_000) < 20_000, asked[0].clockAhead);
    assert.deepEqual([asked.length, direct.code], [2, 'ECONNREFUSED']);
  });

  test('sends the control secret only to servers whose list route answers', async (t) => {
    /** @type {string[]} */
    const received = [];
    const stranger = await startFakePeer(t, {
      answer: ({ authorization }) => {
        received.push(String(authorization));
        return { body: '<html>', status: 200 };
      },
    });
    const first = await serverWith(t, statusOf([member('x', { baseUrl: stranger.baseUrl }), member('y')]));
    await run(['explain', 'http://y:3000/', '--ask-all', '--url', first.baseUrl]);
    assert.deepEqual(received, ['undefined']);
  });

  test('sends the control secret to no member, which somebody may have invented, unless it is told to', async (t) => {
    const invented = await startFakePeer(t);
    const first = await serverWith(t, statusOf([member('x', { baseUrl: invented.baseUrl }), member('y')]));
    for (const command of [['explain', 'http://y:3000/'], ['doctor']]) {
      await run([...command, '--url', first.baseUrl]);
    }
    assert.ok(invented.received.length > 0);
    for (const { authorization } of invented.received) assert.notEqual(authorization, CONTROL_SECRET);
    await run(['explain', 'http://y:3000/', '--ask-all', '--url', first.baseUrl]);
    assert.equal(invented.received.at(-1)?.authorization, CONTROL_SECRET);
  });

  test('fails with a sentence if it gets no URL, or nobody answers', async () => {
    const own = await unusedUrl();
    for (const [args, expected] of /** @type {const} */ ([
      [['explain'], 2],
      [['explain', 'app-3'], 2],
      [['explain', own, '--ask', 'x'], 2],
      [['explain', own, '--url', own], 1],
      [['explain', own, '--ask', own], 1],
    ])) {
      const { code, stderr } = await run([...args]);
      assert.equal(code, expected, stderr);
      assert.doesNotMatch(stderr, /\n {4}at /);
    }
  });

  const url = new URL('http://app-3:3000/');
  const failed = (/** @type {string} */ code) => ({
    ...MEMBERS[1],
    heard: AT - 40_000,
    lastError: { code, message: `text of ${code}`, at: AT },
  });
  const answers = { answers: true };
  const silent = { answers: false, problem: { code: 'ECONNREFUSED', text: 'connection refused (ECONNREFUSED)' } };
  for (const [name, members, direct, expected] of /** @type {[string, any[], any, RegExp][]} */ ([
    [
      'refused',
      [failed('ECONNREFUSED')],
      silent,
      /^1 of 1 server cannot reach it: connection refused .* Nothing listens on app-3:3000\./,
    ],
    ['stopped', [failed('SHAZBOT_NO_ANSWER')], silent, /stopped or blocked: .* stopped \(SIGSTOP/],
    ['cut off', [failed('ETIMEDOUT')], silent, /no connection: .* firewall drops/],
    ['certificate', [failed('CERT_HAS_EXPIRED')], silent, /certificate expired .* Renew the certificate of app-3:3000/],
    ['prefix', [failed('HTTP_404')], silent, /HTTP 404: .* global prefix such as \/api/],
    [
      'it still sends messages',
      [{ ...failed('ETIMEDOUT'), heard: AT }],
      silent,
      /no connection: .* It still sends messages, so it runs: only the way to this URL is closed\. .*firewall/,
    ],
    [
      'Node takes the certificate, the engine does not',
      [failed('DEPTH_ZERO_SELF_SIGNED_CERT')],
      answers,
      /self-signed .*NODE_EXTRA_CA_CERTS.* Node accepts its certificate here, but the engine/,
    ],
    ['an unknown code', [failed('ESTRANGE')], answers, /cannot reach it: text of ESTRANGE\. It answers here/],
    ['online', [MEMBERS[3], MEMBERS[3]], answers, /^All 2 servers list it online\.$/],
    [
      'online, not reached from here',
      [MEMBERS[3]],
      silent,
      /^1 server lists it online\. From here: connection refused/,
    ],
    ['drained', [MEMBERS[2], MEMBERS[2]], answers, /^It is drained: "clustershazbot undrain http:\/\/app-3:3000\/"/],
    ['left', [MEMBERS[0]], silent, /^It left in order: its program was shut down\.$/],
    ['left, and is back with another secret', [MEMBERS[0]], answers, /a server answers there now\. SHAZBOT_SECRET, /],
    [
      'it left while it was drained, and one server does not know yet',
      [
        { ...MEMBERS[2], changedAt: AT - 9_000 },
        { ...MEMBERS[0], changedAt: AT - 1_000 },
      ],
      silent,
      /^It left in order: its program was shut down\. 1 server has not learnt of it yet\.$/,
    ],
    [
      'drained after it was back from a leave',
      [
        { ...MEMBERS[0], changedAt: AT - 9_000 },
        { ...MEMBERS[2], changedAt: AT - 1_000 },
      ],
      answers,
      /^It is drained: .* 1 server has not learnt of it yet\.$/,
    ],
    [
      'drained before it left, whatever the clocks say',
      [
        { ...MEMBERS[2], incarnation: 7, changedAt: AT },
        { ...MEMBERS[0], incarnation: 8, changedAt: AT - 9_000 },
      ],
      silent,
      /^It left in order/,
    ],
    [
      'back from a leave, and one server does not know yet',
      [
        { ...MEMBERS[0], incarnation: 7 },
        { ...MEMBERS[3], incarnation: 9 },
      ],
      answers,
      /^1 of 2 servers list it online\. 1 server has not learnt of it yet\.$/,
    ],
    ['not listed', [undefined, undefined], answers, /^None of 2 servers lists it\. It answers here\. SHAZBOT_SECRET/],
    ['nobody answers', [], silent, /^None of the servers answers\. From here: connection refused/],
  ])) {
    test(`concludes what is wrong: ${name}`, () => {
      const views = members.map((member, i) => ({ baseUrl: `http://${i}/`, at: AT, ...(member && { member }) }));
      assert.match(conclusion(url, views, direct), expected);
    });
  }
});
