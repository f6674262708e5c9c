'use strict';

// What doctor prints about the other servers, for all combinations of what the master list and the server name.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { checkClocks, checkSplit } = require('../lib/cli/doctor/agreement.js');
const { candidates } = require('../lib/cli/doctor/facts.js');
const { checkListed, checkMembers } = require('../lib/cli/doctor/members.js');
const { NONE_PASSED, TARGET, asked, failed, member } = require('./support/asked.js');

/** @param {{ isNamed: boolean, hasLeft: boolean, mayNot: string, hasAnswer: boolean, hasList: boolean }} known */
function expected({ isNamed, hasLeft, mayNot, hasAnswer, hasList }) {
  if (isNamed) return /^1 of 1 other servers answer/;
  const reasons = [...(hasLeft ? ['1 left in order'] : []), ...(mayNot ? [mayNot] : [])];
  if (reasons.length > 0) return new RegExp(`^no other server to ask: ${reasons.join('; ')}`);
  if (hasAnswer && hasList) return /^neither the master list nor this server names another server$/;
  if (hasAnswer) return /^this server lists no other server, and no master list was read$/;
  if (hasList) return /^the master list names no other server, and this server did not show its list$/;
  return /^no list was read, neither a master list nor that of this server$/;
}

describe('members: says why no other server was asked, and only if none was', () => {
  const SELF = 'http://a:3000/';
  const [other, wrong] = ['http://b:3000/', 'http://127.0.0.1:3000/'];
  const left = { state: 'offline', reason: 'left' };
  /** Master lists as they are read here. @type {Record<string, any[]>} */
  const lists = {
    'no list': [],
    'a list that cannot be read': [{ error: 'no such host', urls: [] }],
    'an empty list': [{ urls: [] }],
    'a list with this server': [{ urls: [SELF] }],
    'a list with another server': [{ urls: [SELF, other] }],
    'a list with a server that may not be listed': [{ urls: [wrong] }],
  };
  /** What the server answers. @type {Record<string, any>} */
  const servers = {
    'no answer': { url: new URL(SELF), answers: false, problem: { code: 'ECONNREFUSED', text: 'refused' } },
    'a list that needs a secret': { url: new URL(SELF), answers: true },
    'a public list with itself': { ...asked('a', { online: ['a'] }), status: undefined },
    'a public list with another server': { ...asked('a', { online: ['a', 'b'] }), status: undefined },
    'a status with itself': asked('a', { members: [member('a')], status: { masterLists: [] } }),
    'a status with its lists': asked('a', { members: [member('a')], status: { masterLists: [{ servers: 1 }] } }),
    'a status with another server': asked('a', { members: [member('a'), member('b')], status: { masterLists: [] } }),
    'a status with one that failed': asked('a', {
      members: [member('b', failed('EPROTO'))],
      status: { masterLists: [] },
    }),
    'a status with one that left': asked('a', {
      members: [member('a'), member('b', left)],
      status: { masterLists: [] },
    }),
  };
  for (const [list, masterLists] of Object.entries(lists)) {
    for (const [answer, own] of Object.entries(servers)) {
      test(`${list}, and ${answer}`, () => {
        const target = /** @type {any} */ ({ server: { base: new URL(SELF) }, listedAs: SELF, own });
        const found = candidates({ env: {}, target }, masterLists);
        const others = [...found.members, ...found.listed].map(({ hostname }) => asked(hostname, {}));
        const passedOver = { ...found, more: 0 };
        const facts = { own, others, masterLists, places: [], isValid: true, passedOver, target };
        const [row] = checkMembers(/** @type {any} */ (facts));
        const hasLeft = answer.endsWith('left');
        const isNamed = /another server|failed/.test(answer) || (list.includes('another server') && !hasLeft);
        assert.equal(others.length, isNamed ? 1 : 0);
        const hasAnswer = answer.startsWith('a status') || answer.startsWith('a public');
        const hasList = /an empty|with/.test(list) || answer.endsWith('its lists');
        const mayNot = list.endsWith('not be listed') ? '1 may not be listed: see SHAZBOT_ALLOWED_ORIGINS' : '';
        assert.match(String(row?.found), expected({ isNamed, hasLeft, mayNot, hasAnswer, hasList }));
      });
    }
  }

  test('DNS leads to places', () => {
    const own = servers['a public list with itself'];
    const places = [asked('10.0.0.1', {})];
    const facts = { own, others: [], masterLists: [], places, isValid: true, target: TARGET };
    const [row] = checkMembers(/** @type {any} */ ({ ...facts, passedOver: NONE_PASSED }));
    assert.equal(row?.found, 'no other server to ask: DNS leads to 1 place');
  });
});

test('a server at a loopback address whose base URL is not known is counted once, under that of the list', () => {
  const own = { ...asked('127.0.0.1', { online: ['a', 'b'] }), status: undefined };
  const others = ['a', 'b'].map((name) => ({ ...asked(name, { online: ['a', 'b'] }), status: undefined }));
  const facts = /** @type {any} */ ({ own, others, places: [], isValid: true, passedOver: NONE_PASSED, target: {} });
  const rows = [checkMembers, checkListed, checkSplit, checkClocks].flatMap((check) => check(facts));
  assert.deepEqual(
    rows.map(({ found }) => found),
    [
      '2 of 2 servers answer as members',
      '2 servers are in one group',
      'this machine and 2 servers: less than a minute apart',
    ],
  );
});
