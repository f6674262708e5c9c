const path = require('node:path');
const { pathToFileURL } = require('node:url');

// Four processes in fork mode, on four ports from PORT on: app.mjs adds the number of its process.
module.exports = {
  apps: [
    {
      name: 'app',
      script: 'app.mjs',
      cwd: __dirname,
      exec_mode: 'fork',
      instances: 4,
      env: {
        PORT: Number(process.env.PORT ?? 3000),
        SHAZBOT_BASE_URL: 'http://127.0.0.1:{port}/',
        // For one machine.
        SHAZBOT_MASTER_LIST: pathToFileURL(path.join(__dirname, 'servers.json')).href,
      },
      // PM2 kills after 1.6 s by default. Longer than the 17.5 s that a shutdown takes at most: see docs/production.md, Shutdown.
      kill_timeout: 20_000,
    },
  ],
};
