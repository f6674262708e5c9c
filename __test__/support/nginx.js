'use strict';

// nginx as a reverse proxy in front of each server of a test.

const { spawn } = require('node:child_process');
const { existsSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const { folder } = require('../../harness/folder.js');
const { freePorts } = require('../../harness/ports.js');
const { request } = require('../../harness/http.js');
const { until } = require('../../harness/until.js');

const NGINX = '/usr/sbin/nginx';

/** Why nginx cannot be tested here, if it cannot. */
function missing() {
  if (existsSync(NGINX)) return undefined;
  if (process.env.SHAZBOT_TEST_ALL === '1') throw new Error(`${NGINX} is missing: .ci/run installs it`);
  return `${NGINX} is not installed (.ci/run installs it)`;
}

/**
 * Starts one nginx that listens once for each of `ports`, and passes on to it.
 *
 * @param {import('../../harness/cluster.js').Scope} scope
 * @param {number[]} ports of the servers behind it
 * @param {string} settings directives of its `http` block
 * @returns {Promise<string[]>} the base URLs of the servers, in the order of `ports`
 */
async function startNginx(scope, ports, settings) {
  const own = await freePorts(ports.length);
  const at = folder();
  const servers = ports.map(
    (port, n) => `server { listen 127.0.0.1:${own[n]}; location / { proxy_pass http://127.0.0.1:${port}; } }`,
  );
  await runNginx(scope, at, `${settings} ${servers.join('\n')}`, `http://127.0.0.1:${own[0]}/`);
  return own.map((port) => `http://127.0.0.1:${port}/`);
}

/**
 * @param {import('../../harness/cluster.js').Scope} scope
 * @param {string} at folder for its files
 * @param {string} settings its `http` block
 * @param {string} url at which it answers
 * @returns {Promise<{ reload(settings: string): void }>}
 */
async function runNginx(scope, at, settings, url) {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${at}/${name};`);
  // The rights of the user that runs the test, for a folder that is not prepared for others.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const write = (/** @type {string} */ http) =>
    writeFileSync(
      join(at, 'nginx.conf'),
      `daemon off; ${user} worker_processes 1; pid ${at}/pid; error_log ${at}/error.log; events {}
       http { access_log off; ${paths.join(' ')} ${http} }`,
    );
  write(settings);
  const nginx = spawn(NGINX, ['-p', at, '-e', `${at}/error.log`, '-c', `${at}/nginx.conf`], { stdio: 'pipe' });
  let output = '';
  nginx.stderr.on('data', (chunk) => {
    output += chunk;
  });
  const ended = new Promise((resolve) => nginx.once('close', resolve));
  scope.after(async () => {
    nginx.kill('SIGTERM');
    await ended;
  });
  await until(async () => nginx.exitCode !== null || (await request(url)), { what: 'nginx answers' });
  if (nginx.exitCode !== null) throw new Error(`nginx ended: ${output}`);
  return {
    /** As `nginx -s reload` does. */
    reload(http) {
      write(http);
      nginx.kill('SIGHUP');
    },
  };
}

module.exports = { missing, runNginx, startNginx };
