'use strict';

const { pathToFileURL } = require('node:url');
const path = require('node:path');

const { expect, test } = require('@jest/globals');
const { shazbotGetServerList, shazbotStart } = require('clustershazbot');

const baseUrl = 'http://127.0.0.1:9/second/';

test('the engine of another test file is not this one', async () => {
  const error = await Promise.resolve()
    .then(() => shazbotGetServerList())
    .catch((reason) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ code: 'SHAZBOT_NOT_STARTED', status: 503 });
});

test('a start without its variables is rejected with an error of the realm of the test', async () => {
  const error = await shazbotStart().catch((reason) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(error.code).toBe('SHAZBOT_INVALID_CONFIG');
});

// Left running: a test file that forgets the shutdown must not keep Jest from ending.
test('it starts with the environment of this test file', async () => {
  process.env.SHAZBOT_SECRET = 'second secret';
  process.env.SHAZBOT_CONTROL_SECRET = 'second control secret';
  process.env.SHAZBOT_BASE_URL = baseUrl;
  process.env.SHAZBOT_MASTER_LIST = pathToFileURL(path.join(process.env.LISTS ?? '', 'second.json')).href;
  await shazbotStart();
  expect(shazbotGetServerList()).toStrictEqual({
    online: [{ baseUrl, monitor: false, lastUpdate: expect.any(Number) }],
  });
});
