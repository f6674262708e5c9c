'use strict';

// A test file that starts the engine, uses all functions and shuts down: all values must belong to this file's realm.

const { pathToFileURL } = require('node:url');
const path = require('node:path');

const { afterAll, beforeAll, expect, jest, test } = require('@jest/globals');
const {
  shazbotControlRequest,
  shazbotGetServerList,
  shazbotGossipRequest,
  shazbotListRequest,
  shazbotShutDown,
  shazbotStart,
} = require('clustershazbot');

const baseUrl = 'http://127.0.0.1:9/first/';
const own = { baseUrl, monitor: true, lastUpdate: expect.any(Number) };

beforeAll(async () => {
  process.env.SHAZBOT_SECRET = 'first secret';
  process.env.SHAZBOT_CONTROL_SECRET = 'first control secret';
  process.env.SHAZBOT_BASE_URL = baseUrl;
  process.env.SHAZBOT_MASTER_LIST = pathToFileURL(path.join(process.env.LISTS ?? '', 'first.json')).href;
  process.env.SHAZBOT_MONITOR = 'true';
  process.env.SHAZBOT_GOSSIP_INTERVAL = '0.1';
  await shazbotStart();
});

afterAll(() => shazbotShutDown());

test("lists and answers belong to the test file's realm", async () => {
  const list = shazbotGetServerList(true);
  expect(list).toStrictEqual({ online: [own], offline: [] });
  expect(list.online).toBeInstanceOf(Array);
  expect(list.online[0]).toBeInstanceOf(Object);
  expect(await shazbotListRequest('first control secret')).toStrictEqual({ online: [own], offline: [] });
  expect(await shazbotListRequest('')).toStrictEqual({ online: [own] });
  const answer = await shazbotGossipRequest('first secret', { message: 'gossip', online: [] });
  expect(answer).toMatchObject({ message: 'gossip', online: [own] });
  expect(answer).toBeInstanceOf(Object);
  expect(answer.online).toBeInstanceOf(Array);
});

test("promises belong to the test file's realm", async () => {
  const request = shazbotListRequest('');
  expect(request).toBeInstanceOf(Promise);
  await request;
  const start = shazbotStart();
  expect(start).toBeInstanceOf(Promise);
  await start;
});

test("errors belong to the test file's realm", async () => {
  const refused = [
    [() => shazbotGossipRequest('wrong', { message: 'gossip', online: [] }), 'SHAZBOT_UNAUTHORIZED', 401],
    [() => shazbotGossipRequest('first secret', /** @type {any} */ ({})), 'SHAZBOT_INVALID_MESSAGE', 400],
    [() => shazbotControlRequest('first control secret', /** @type {any} */ (null)), 'SHAZBOT_INVALID_MESSAGE', 400],
  ];
  for (const [call, code, status] of /** @type {[() => Promise<unknown>, string, number][]} */ (refused)) {
    const error = await call().catch((reason) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ code, status, statusCode: status, expose: true });
  }
  await expect(shazbotGossipRequest('wrong', { message: 'gossip', online: [] })).rejects.toThrow(
    'Unauthorized: Invalid SHAZBOT_SECRET',
  );
});

test('the engine shuts down and starts again while the timers are fake', async () => {
  jest.useFakeTimers();
  await shazbotShutDown();
  expect(() => shazbotGetServerList()).toThrow('Clustershazbot engine not started');
  await shazbotStart();
  jest.advanceTimersByTime(60_000);
  expect(shazbotGetServerList(true)).toStrictEqual({ online: [own], offline: [] });
  jest.useRealTimers();
});
