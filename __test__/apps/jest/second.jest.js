'use strict';

// A test file that runs beside first.jest.js, with its own environment, and never shuts down its engine.

const { pathToFileURL } = require('node:url');
const path = require('node:path');

const { expect, test } = require('@jest/globals');
const { shazbotGetServerList, shazbotStart } = require('clustershazbot');

const baseUrl = 'http://127.0.0.1:9/second/';

test('the engine that another test file started is not visible here', async () => {
  const error = await Promise.resolve()
    .then(() => shazbotGetServerList())
    .catch((reason) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ code: 'SHAZBOT_NOT_STARTED', status: 503 });
});

test("a start without the required variables rejects with an error of the test file's realm", async () => {
  const error = await shazbotStart().catch((reason) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(error.code).toBe('SHAZBOT_INVALID_CONFIG');
});

// No shutdown follows: a test file that forgets it must not keep Jest from ending.
test('the engine starts with the environment of this test file', async () => {
  process.env.SHAZBOT_SECRET = 'second secret';
  process.env.SHAZBOT_CONTROL_SECRET = 'second control secret';
  process.env.SHAZBOT_BASE_URL = baseUrl;
  process.env.SHAZBOT_MASTER_LIST = pathToFileURL(path.join(process.env.LISTS ?? '', 'second.json')).href;
  await shazbotStart();
  expect(shazbotGetServerList()).toStrictEqual({
    online: [{ baseUrl, monitor: false, lastUpdate: expect.any(Number) }],
  });
});
