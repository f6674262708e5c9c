// An ES module server on Node's own HTTP module, with routes written by hand.

import { createServer } from 'node:http';
import {
  shazbotControlRequest,
  shazbotGossipRequest,
  shazbotListRequest,
  shazbotShutDown,
  shazbotStart,
} from 'clustershazbot';

/** @type {Record<string, (auth: string, body: any) => Promise<unknown>>} */
const routes = {
  'POST /clustershazbot/gossip': (auth, body) => shazbotGossipRequest(auth, body),
  'GET /clustershazbot/list': (auth) => shazbotListRequest(auth),
  'POST /clustershazbot/control': (auth, body) => shazbotControlRequest(auth, body),
};

const server = createServer(async (req, res) => {
  try {
    let text = '';
    for await (const chunk of req) text += chunk;
    const route = routes[`${req.method} ${req.url}`];
    const answer = await route?.(req.headers.authorization ?? '', text === '' ? undefined : JSON.parse(text));
    res.end(JSON.stringify(answer ?? {}));
  } catch (error) {
    const { message, status } = /** @type {any} */ (error);
    res.writeHead(status ?? 500).end(JSON.stringify({ error: message }));
  }
});

server.listen(Number(process.env.PORT), '127.0.0.1');
await shazbotStart();

process.on('SIGTERM', async () => {
  await shazbotShutDown();
  server.close();
  server.closeAllConnections();
});
