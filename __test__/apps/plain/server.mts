// A TypeScript server on Node's own HTTP module, with routes written by hand.

import { createServer } from 'node:http';
// biome-ignore lint/style/useImportType: programs for version 1 import types this way, and Node's type stripping keeps it
import {
  ControlMessage,
  GossipMessage,
  shazbotControlRequest,
  shazbotGossipRequest,
  shazbotListRequest,
  shazbotShutDown,
  shazbotStart,
} from 'clustershazbot';

const routes: Record<string, (auth: string, body: unknown) => Promise<unknown>> = {
  'POST /clustershazbot/gossip': (auth, body) => shazbotGossipRequest(auth, body as GossipMessage),
  'GET /clustershazbot/list': (auth) => shazbotListRequest(auth),
  'POST /clustershazbot/control': (auth, body) => shazbotControlRequest(auth, body as ControlMessage),
};

const server = createServer(async (req, res) => {
  try {
    let text = '';
    for await (const chunk of req) text += chunk;
    const route = routes[`${req.method} ${req.url}`];
    const answer = await route?.(req.headers.authorization ?? '', text === '' ? undefined : JSON.parse(text));
    res.end(JSON.stringify(answer ?? {}));
  } catch (error) {
    const { message, status } = error as Error & { status?: number };
    res.writeHead(status ?? 500).end(JSON.stringify({ error: message }));
  }
});

server.listen(Number(process.env.PORT), '127.0.0.1', () => shazbotStart());

process.on('SIGTERM', async () => {
  await shazbotShutDown();
  server.close();
  server.closeAllConnections();
});
