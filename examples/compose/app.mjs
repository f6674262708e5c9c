// A server of the cluster: Express with the routes of clustershazbot.
import { shazbotEvents, shazbotGetServerList, shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotRouter } from 'clustershazbot/express';
import express from 'express';

const app = express();
app.use('/clustershazbot', shazbotRouter());
app.get('/', (_req, res) => {
  res.json(shazbotGetServerList().online.map(({ baseUrl }) => baseUrl));
});

shazbotEvents.on('change', ({ type, baseUrl, reason = '' }) => console.log(`${baseUrl} is ${type} ${reason}`));

const server = app.listen(Number(process.env.PORT ?? 3000), (error) => {
  if (error) throw error;
  shazbotStart().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    await shazbotShutDown();
    server.close();
  });
}
