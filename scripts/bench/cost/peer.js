'use strict';

// Child process that answers gossip as a whole cluster: as protocol 2 or version 1, like the server that asks.

const express = require('express');

const { freePorts } = require('../../../harness/ports.js');
const { answer } = require('./children.js');
const { cluster, fullMessages, idleAnswer, textOf } = require('./servers.js');

/** Exchanges and bytes so far. */
let count = () => ({ exchanges: 0, bytes: 0 });

/** @param {{ n: number, tags: boolean }} options */
async function listen({ n, tags }) {
  const [port] = await freePorts(1);
  const origin = `http://127.0.0.1:${port}/`;
  const servers = cluster(origin, n, { tags });
  const byUrl = new Map(servers.online.map((server) => [server.baseUrl, server]));
  const full = fullMessages({
    ...servers,
    online: servers.online.map(({ baseUrl }) => ({ baseUrl, life: undefined })),
  });
  const seen = { exchanges: 0, bytes: 0 };
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();

  const app = express();
  app.use(express.json({ limit: '16mb' }));
  app.post('/:server/clustershazbot/gossip', (req, res) => {
    seen.exchanges += 1;
    const server = byUrl.get(`${origin}${req.params.server}/`);
    if (!server) return void res.sendStatus(404);
    if (req.body.shazbot === undefined) res.type('json').send(full(1)[0]);
    else res.json(idleAnswer(server, textOf(req.body)));
  });
  const listener = app.listen(port, '127.0.0.1');
  listener.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => {
      seen.bytes += socket.bytesRead + socket.bytesWritten;
      sockets.delete(socket);
    });
  });
  count = () => {
    const open = [...sockets].reduce((sum, { bytesRead, bytesWritten }) => sum + bytesRead + bytesWritten, 0);
    return { ...seen, bytes: seen.bytes + open };
  };
  return { servers, origin };
}

answer(listen, () => count());
