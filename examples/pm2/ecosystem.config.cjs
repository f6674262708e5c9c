const path = require('node:path');
const { pathToFileURL } = require('node:url');

// One app for each port. With `instances` and `increment_var`, `pm2 restart ecosystem.config.cjs` gives all processes the
// same port.
const FIRST_PORT = Number(process.env.PORT ?? 3000);
const PORTS = [0, 1, 2, 3].map((n) => FIRST_PORT + n);

module.exports = {
  apps: PORTS.map((port) => ({
    name: `app-${port}`,
    script: 'app.mjs',
    cwd: __dirname,
    env: {
      PORT: port,
      SHAZBOT_BASE_URL: 'http://127.0.0.1:{port}/',
      // For one machine.
      SHAZBOT_MASTER_LIST: pathToFileURL(path.join(__dirname, 'servers.json')).href,
    },
    // PM2 sends SIGINT, and kills after 1.6 s by default; shazbotShutDown takes up to 6 s.
    kill_timeout: 20_000,
  })),
};
