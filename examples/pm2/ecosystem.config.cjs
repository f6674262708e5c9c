module.exports = {
  apps: [
    {
      name: 'app',
      script: 'app.mjs',
      // Each process has a port of its own: 3000, 3001, 3002, 3003.
      exec_mode: 'fork',
      instances: 4,
      increment_var: 'PORT',
      env: {
        PORT: 3000,
        SHAZBOT_BASE_URL: 'http://127.0.0.1:{port}/',
        SHAZBOT_MASTER_LIST: 'file:///var/lib/app/servers.json',
      },
      // PM2 sends SIGINT, and kills after 1.6 s by default; shazbotShutDown takes up to 6 s.
      kill_timeout: 20_000,
    },
  ],
};
