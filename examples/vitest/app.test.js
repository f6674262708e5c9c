// Tests of the application with a fake cluster: no server is started, and no other server is contacted.

import { once } from 'node:events';
import { createFakeCluster } from 'clustershazbot/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from './app.js';

const ME = 'http://me:3000/';
const DATABASE = { baseUrl: 'http://db-1:3000/', tags: { role: 'db' } };

const cluster = createFakeCluster();
let server;

beforeAll(async () => {
  server = createApp().listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.close();
  cluster.restore();
});

const getDatabase = () => fetch(`http://127.0.0.1:${server.address().port}/database`);

test('a database server that is online is used', async () => {
  cluster.set({ online: [ME, DATABASE] });
  expect(await (await getDatabase()).json()).toEqual({ baseUrl: DATABASE.baseUrl });
});

test('a database server that has failed is not used', async () => {
  cluster.set({ online: [ME], offline: [{ ...DATABASE, reason: 'failed' }] });
  expect((await getDatabase()).status).toBe(503);
});
