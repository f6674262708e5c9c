const path = require('node:path');
const { pathToFileURL } = require('node:url');

// Four processes in cluster mode: they share the port PORT, and have four ports from OWN_PORT on for each other.
module.exports = {
  apps: [
    {
      name: 'app',
      script: 'cluster-mode.mjs',
      cwd: __dirname,
      exec_mode: 'cluster',
      instances: 4,
      env: {
        PORT: Number(process.env.PORT ?? 3000),
        OWN_PORT: Number(process.env.OWN_PORT ?? 4000),
        SHAZBOT_BASE_URL: 'http://127.0.0.1:{port}/',
        // For one machine.
        SHAZBOT_MASTER_LIST: pathToFileURL(path.join(__dirname, 'servers.json')).href,
      },
      // PM2 kills after 1.6 s by default. Longer than the 17.5 s that a shutdown takes at most: see docs/production.md, Shutdown.
      kill_timeout: 20_000,
    },
  ],
};
