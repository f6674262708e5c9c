'use strict';

// The Express program of the README as plain CommonJS. PORT and the SHAZBOT_* variables come from the environment.

const express = require('express');
const {
  shazbotStart,
  shazbotShutDown,
  shazbotGossipRequest,
  shazbotListRequest,
  shazbotControlRequest,
} = require('clustershazbot');

const app = express();
app.use(express.json());

/**
 * Every refusal is an Error that carries the HTTP status to answer with.
 *
 * @param {import('express').Response} res
 * @param {unknown} error
 */
function refuse(res, error) {
  if (!(error instanceof Error)) throw error;
  const status = 'status' in error ? Number(error.status) : 500;
  res.status(status).json({ error: error.message });
}

// Gossip endpoint
app.post('/clustershazbot/gossip', async (req, res) => {
  try {
    res.json(await shazbotGossipRequest(req.headers.authorization ?? '', req.body));
  } catch (error) {
    refuse(res, error);
  }
});

// List endpoint
app.get('/clustershazbot/list', async (req, res) => {
  try {
    res.json(await shazbotListRequest(req.headers.authorization ?? ''));
  } catch (error) {
    refuse(res, error);
  }
});

// Control endpoint
app.post('/clustershazbot/control', async (req, res) => {
  try {
    await shazbotControlRequest(req.headers.authorization ?? '', req.body);
    res.json({ success: true });
  } catch (error) {
    refuse(res, error);
  }
});

// Graceful shutdown: tell the cluster first, then stop listening; the process ends once all requests are answered
async function stop() {
  await shazbotShutDown();
  server.close();
}
process.once('SIGINT', stop);
process.once('SIGTERM', stop);

const port = Number(process.env.PORT ?? 3000);
const server = app.listen(port, (error) => {
  if (error) throw error;
  console.log(`Server running on port ${port}`);
  shazbotStart().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
});
