'use strict';

// Real stores of a master list, each a process on a loopback port of its own, with a configuration in ../../examples/stores.

const { spawn, spawnSync } = require('node:child_process');
const { createHash, createHmac } = require('node:crypto');
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const http = require('node:http');
const { join } = require('node:path');

const { folder } = require('../../harness/folder.js');
const { close, listen, request } = require('../../harness/http.js');
const { freePorts } = require('../../harness/ports.js');
const { until } = require('../../harness/until.js');

const tools = join(__dirname, '..', '..', 'target', 'tools');
const AUTH = `Basic ${Buffer.from('shazbot:a-password').toString('base64')}`;
const PASSWORDS = `shazbot:{SHA}${createHash('sha1').update('a-password').digest('base64')}\n`;

/** @typedef {{ port: number, folder: string, configuration: string }} Place */
/**
 * @typedef {object} Kind
 * @property {string} command
 * @property {(place: Place) => string[]} args
 * @property {string} [configuration] a file in ../../examples/stores
 * @property {(place: Place) => Promise<{ read: string, write: string, env: Record<string, string> }>} open
 *   where the list is then, below the root of the store
 * @property {boolean} refuses whether it refuses one of two writes that come right after each other
 */

const dav = async () => ({
  read: '/servers.json',
  write: '/servers.json',
  env: { SHAZBOT_MASTER_LIST_UPDATE_AUTH: AUTH },
});

/** @type {Record<string, Kind>} */
const KINDS = {
  'lighttpd mod_webdav': {
    command: '/usr/sbin/lighttpd',
    args: ({ configuration }) => ['-D', '-f', configuration],
    configuration: 'lighttpd.conf',
    open: dav,
    refuses: true,
  },
  'Apache mod_dav': {
    command: '/usr/sbin/apache2',
    args: ({ configuration }) => ['-D', 'FOREGROUND', '-f', configuration],
    configuration: 'apache.conf',
    open: dav,
    // For a second after a write its tags are weak, and nothing can be asked of them.
    refuses: false,
  },
  'nginx dav': {
    command: '/usr/sbin/nginx',
    args: ({ folder: at, configuration }) => ['-p', at, '-e', `${at}/error.log`, '-c', configuration],
    configuration: 'nginx.conf',
    open: dav,
    refuses: false,
  },
  // Of Azure Blob Storage.
  Azurite: {
    command: process.execPath,
    args: ({ port }) => [
      join(tools, 'azurite/node_modules/azurite/dist/src/blob/main.js'),
      ...['--blobPort', String(port)],
      ...['--disableTelemetry', '--skipApiVersionCheck', '--silent', '--inMemoryPersistence'],
    ],
    open: async ({ port }) => {
      const query = azureSignature();
      const path = `/${AZURE_ACCOUNT}/cluster`;
      const made = await request(`http://127.0.0.1:${port}${path}?restype=container&${query}`, { method: 'PUT' });
      if (made.status !== 201) throw new Error(`the container was not made: ${made.status} ${made.text}`);
      const list = `${path}/servers.json?${query}`;
      const headers = JSON.stringify({ 'x-ms-blob-type': 'BlockBlob' });
      return {
        read: list,
        write: list,
        env: { SHAZBOT_MASTER_LIST_UPDATE_AUTH: '', SHAZBOT_MASTER_LIST_UPDATE_HEADERS: headers },
      };
    },
    refuses: true,
  },
  // Of S3. It does not look at signatures, so that those of the URLs are of no use but to differ.
  'moto S3': {
    command: join(tools, 'moto/bin/moto_server'),
    args: ({ port }) => ['-H', '127.0.0.1', '-p', String(port)],
    open: async ({ port }) => {
      const made = await request(`http://127.0.0.1:${port}/cluster`, { method: 'PUT' });
      if (made.status !== 200) throw new Error(`the bucket was not made: ${made.status} ${made.text}`);
      const presigned = (/** @type {string} */ method) =>
        `/cluster/servers.json?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=${method}`;
      return { read: presigned('GET'), write: presigned('PUT'), env: { SHAZBOT_MASTER_LIST_UPDATE_AUTH: '' } };
    },
    refuses: true,
  },
};

const AZURE_ACCOUNT = 'devstoreaccount1';
// The key that every Azurite has.
const AZURE_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

// A shared access signature of the account, as the documentation of Azure Storage has it.
function azureSignature() {
  const [version, services, types, permissions, protocol] = ['2021-08-06', 'b', 'sco', 'rwdlac', 'https,http'];
  const expiry = '2099-01-01T00:00:00Z';
  const signed = [AZURE_ACCOUNT, permissions, services, types, '', expiry, '', protocol, version, '', ''].join('\n');
  const signature = createHmac('sha256', Buffer.from(AZURE_KEY, 'base64')).update(signed).digest('base64');
  return new URLSearchParams({
    sv: version,
    ss: services,
    srt: types,
    sp: permissions,
    se: expiry,
    spr: protocol,
    sig: signature,
  }).toString();
}

/**
 * Why a kind of store cannot be tested here, if it cannot.
 *
 * @param {string} name
 */
function missing(name) {
  const { command, args } = /** @type {Kind} */ (KINDS[name]);
  const [script = ''] = args({ port: 0, folder: '', configuration: '' });
  for (const file of [command, ...(script.endsWith('.js') ? [script] : [])]) {
    if (!existsSync(file)) {
      if (process.env.SHAZBOT_TEST_ALL === '1') throw new Error(`${file} is missing: .ci/run installs it`);
      return `${file} is not installed (.ci/run installs it)`;
    }
  }
  return undefined;
}

/**
 * Starts a store, and in front of it a proxy that sees each access.
 *
 * @param {import('../../harness/cluster.js').Scope} scope
 * @param {string} name
 */
async function startRealStore(scope, name) {
  const kind = /** @type {Kind} */ (KINDS[name]);
  const [port, proxyPort] = /** @type {[number, number]} */ (await freePorts(2));
  const at = folder();
  mkdirSync(join(at, 'www'));
  // The servers drop root's rights.
  for (const path of [at, join(at, 'www')]) spawnSync('chmod', ['777', path]);
  writeFileSync(join(at, 'passwords'), PASSWORDS);
  const configuration = join(at, 'configuration');
  if (kind.configuration) {
    const text = readFileSync(join(__dirname, '..', '..', 'examples', 'stores', kind.configuration), 'utf8');
    writeFileSync(configuration, text.replaceAll('{{port}}', String(port)).replaceAll('{{folder}}', at));
  }
  const place = { port, folder: at, configuration };
  const process = spawn(kind.command, kind.args(place), { cwd: at, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const ended = new Promise((resolve) => process.once('close', resolve));
  scope.after(async () => {
    process.kill('SIGTERM');
    await ended;
  });
  await until(async () => process.exitCode !== null || (await request(`http://127.0.0.1:${port}/`)), {
    what: `${name} answers`,
  });
  if (process.exitCode !== null) throw new Error(`${name} ended: ${output}`);
  const { read, write, env } = await kind.open(place);

  /** @type {{ method: string, status: number, condition: string | undefined }[]} */
  const calls = [];
  const proxy = http.createServer((req, res) => {
    const { method = '', url, headers } = req;
    const onward = http.request({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, (answer) => {
      const condition = headers['if-match'] ?? headers['if-none-match'];
      calls.push({ method, status: answer.statusCode ?? 0, condition });
      res.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  await listen(proxy, proxyPort);
  scope.after(() => close(proxy));
  const origin = `http://127.0.0.1:${proxyPort}`;
  return {
    refuses: kind.refuses,
    calls,
    /**
     * @param {string} method
     * @param {...number} statuses any, if none is given
     */
    count: (method, ...statuses) =>
      calls.filter((call) => call.method === method && (!statuses.length || statuses.includes(call.status))).length,
    env: { SHAZBOT_MASTER_LIST: origin + read, SHAZBOT_MASTER_LIST_UPDATE: origin + write, ...env },
    /** @returns {Promise<string[]>} base URLs in the list, sorted */
    servers: async () => {
      const { status, json } = await request(`http://127.0.0.1:${port}${read}`);
      if (status === 404) return [];
      return json.online.map((/** @type {any} */ entry) => entry.baseUrl).sort();
    },
  };
}

module.exports = { STORES: Object.keys(KINDS), missing, startRealStore };
