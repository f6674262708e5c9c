'use strict';

// A test file of a program that needs other servers: it sets a fake cluster, and mocks nothing.

const { afterAll, beforeEach, expect, jest, test } = require('@jest/globals');
const { shazbotEvents, shazbotGetServerList, shazbotServers, shazbotStart } = require('clustershazbot');
const { createFakeCluster } = require('clustershazbot/testing');

/** @type {ReturnType<typeof createFakeCluster>} */
let cluster;

beforeEach(() => {
  cluster = createFakeCluster({ online: ['http://a/', { baseUrl: 'http://b/', tags: { role: 'db' } }] });
});

afterAll(() => cluster.restore());

test('the functions return the servers of the fake cluster, without a start and after one', async () => {
  expect(shazbotServers({ role: 'db' })).toMatchObject([{ baseUrl: 'http://b/', self: false }]);
  await shazbotStart();
  expect(shazbotGetServerList(true)).toStrictEqual({
    online: [
      { baseUrl: 'http://a/', monitor: false, lastUpdate: expect.any(Number) },
      { baseUrl: 'http://b/', monitor: false, lastUpdate: expect.any(Number) },
    ],
    offline: [],
  });
});

test('a change of the fake cluster is emitted while the timers are fake', () => {
  jest.useFakeTimers();
  const listener = jest.fn();
  shazbotEvents.once('offline', listener);
  cluster.set({ online: ['http://a/'], offline: [{ baseUrl: 'http://b/', reason: 'failed' }] });
  expect(listener).toHaveBeenCalledWith(expect.objectContaining({ baseUrl: 'http://b/', reason: 'failed' }));
  jest.useRealTimers();
});
