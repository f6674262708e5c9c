// The application under test: it says which database server to use, and serves the routes of the cluster.

import { shazbotPick } from 'clustershazbot';
import { shazbotRouter } from 'clustershazbot/express';
import express from 'express';

export function createApp() {
  const app = express();
  app.use('/clustershazbot', shazbotRouter());
  app.get('/database', (_req, res) => {
    const database = shazbotPick({ where: { role: 'db' } });
    if (database) res.json({ baseUrl: database.baseUrl });
    else res.status(503).json({ error: 'No database server is online' });
  });
  return app;
}
