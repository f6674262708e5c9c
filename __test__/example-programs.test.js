'use strict';

// The programs in examples/: each folder's own files run against the packed package.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { once } = require('node:events');
const { cpSync, existsSync, readdirSync, rmSync, symlinkSync } = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { describe, test } = require('node:test');
const { pathToFileURL } = require('node:url');
const { promisify } = require('node:util');
const { load } = require('js-yaml');

const { request } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { version } = require('../package.json');
const { Project, ROOT, read } = require('./support/documents.js');
const { SECRETS, know, portsInARow, refuses, runsTwice } = require('./support/twice.js');

const FOLDERS = readdirSync(path.join(ROOT, 'examples'));
const manifest = (/** @type {string} */ name) => JSON.parse(read(`examples/${name}/package.json`));
const PROGRAMS = FOLDERS.filter((name) => existsSync(path.join(ROOT, 'examples', name, 'package.json')));
/** @param {string} name */
const mainFile = (name) =>
  name === 'pm2' ? 'app.mjs' : String(/^clustershazbot dev -- node (\S+)$/.exec(manifest(name).scripts.start)?.[1]);

/**
 * A copy of an example, as a user has it after `npm install` and the build.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} name
 */
async function copyExample(t, name) {
  const project = new Project();
  t.after(() => project.remove());
  const from = path.join(ROOT, 'examples', name);
  const isSource = (/** @type {string} */ file) => !/^(?:node_modules|dist)$/.test(path.relative(from, file));
  cpSync(from, project.folder, { recursive: true, filter: isSource });
  if (manifest(name).scripts.build) {
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    await promisify(execFile)(process.execPath, [tsc, '--project', project.folder]).catch((error) => {
      throw new Error(`tsc refuses it:\n${error.stdout}${error.stderr}`);
    });
  }
  return project;
}

/** Listens on a port of its own until the test ends. @param {import('node:test').TestContext} t */
async function takenPort(t) {
  const server = net.createServer().listen(0);
  t.after(() => server.close());
  await once(server, 'listening');
  return /** @type {net.AddressInfo} */ (server.address()).port;
}

/** @typedef {{ show?: (first: string, second: string) => Promise<unknown>, env?: (own: NodeJS.ProcessEnv) => NodeJS.ProcessEnv }} Case */

/**
 * The route `/peers` lists the other server, and not this one.
 *
 * @param {string} baseUrl
 * @param {string} other
 */
async function showsPeers(baseUrl, other) {
  assert.deepEqual((await request(`${baseUrl}peers`)).json, [other]);
}

/** Variables of the application's own. @param {NodeJS.ProcessEnv} own @returns {NodeJS.ProcessEnv} */
const withOwnNames = (own) => ({
  PORT: own.PORT,
  CLUSTER_SECRET: own.SHAZBOT_SECRET,
  CLUSTER_CONTROL_SECRET: own.SHAZBOT_CONTROL_SECRET,
  CLUSTER_URL: own.SHAZBOT_BASE_URL,
  CLUSTER_LIST: own.SHAZBOT_MASTER_LIST,
  CLUSTER_INTERVAL: own.SHAZBOT_GOSSIP_INTERVAL,
});

/** @type {Record<string, Case>} */
const CASES = {
  compose: { show: showsPeers },
  express: {
    show: showsPeers,
    // Without the final slash, which the engine adds.
    env: (own) => ({ ...own, SHAZBOT_BASE_URL: own.SHAZBOT_BASE_URL?.slice(0, -1) }),
  },
  'express-typescript': { show: showsPeers },
  fastify: { show: showsPeers },
  nest: { show: showsPeers },
  'nest-config': {
    show: async (baseUrl) => {
      const { status, json } = await request(`${baseUrl}health`);
      assert.deepEqual([status, json.details], [200, { cluster: { status: 'up', online: 2 } }]);
    },
    env: withOwnNames,
  },
  pm2: { show: showsPeers },
  'prometheus-grafana': {
    show: async (baseUrl) => {
      assert.match((await request(`${baseUrl}metrics`)).text, /^clustershazbot_members\{state="online"\} 2$/m);
    },
  },
  vitest: {},
};

describe('each example', () => {
  test('has a README.md and a line in EXAMPLES.md', () => {
    const index = read('EXAMPLES.md');
    for (const name of FOLDERS) {
      assert.match(read(`examples/${name}/README.md`), /^# \S.*\n\n\S/, name);
      assert.ok(index.includes(`](examples/${name})`), `EXAMPLES.md links to examples/${name}`);
    }
  });

  test('depends on this version of the package, and on every package that it imports', () => {
    for (const name of PROGRAMS) {
      const { name: packageName, private: isPrivate, dependencies, devDependencies, scripts } = manifest(name);
      assert.deepEqual([packageName, isPrivate], [`clustershazbot-example-${name}`, true]);
      assert.match(scripts.start, /^clustershazbot dev -- /, name);
      assert.equal(dependencies.clustershazbot, `^${version.split('.')[0]}.0.0`, name);
      for (const file of readdirSync(path.join(ROOT, 'examples', name), { recursive: true, encoding: 'utf8' })) {
        if (!/\.[cm]?[jt]s$/.test(file) || /node_modules|dist\W/.test(file)) continue;
        const imports = read(`examples/${name}/${file}`).matchAll(/(?:from |require\(|import\()'([^'.][^']*)'/g);
        for (const [, specifier = ''] of imports) {
          if (specifier.startsWith('node:')) continue;
          const packageOf = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
          assert.ok({ ...dependencies, ...devDependencies }[packageOf], `${name}/${file} imports ${packageOf}`);
        }
      }
    }
  });

  test('allows the versions of packages with which it is tested', () => {
    for (const name of Object.keys(CASES)) {
      const { dependencies, devDependencies } = manifest(name);
      for (const [packageName, range] of Object.entries({ ...dependencies, ...devDependencies })) {
        const folders = ['__test__/apps/examples/node_modules', 'node_modules'].map((it) => `${it}/${packageName}`);
        const installed = folders.find((it) => existsSync(path.join(ROOT, it)));
        // Only the registry in install.test.js has the others.
        if (!installed) continue;
        const [major] = JSON.parse(read(`${installed}/package.json`)).version.split('.');
        assert.equal(/^\^(\d+)\./.exec(range)?.[1], major, `${name}: ${packageName} ${range}`);
      }
    }
  });

  test('that closes its server drains first, and ends although a client does not finish', () => {
    for (const name of PROGRAMS) {
      for (const file of readdirSync(path.join(ROOT, 'examples', name), { recursive: true, encoding: 'utf8' })) {
        if (!/\.[cm]?[jt]s$/.test(file) || /node_modules|dist\W/.test(file)) continue;
        const text = read(`examples/${name}/${file}`);
        if (!text.includes('.close(')) continue;
        if (/restore|enableShutdownHooks/.test(text)) continue; // A test, and Nest, whose module does both.
        assert.match(text, /shazbotShutDown\(\{ drainFor: 1500 \}\)/, `${name}/${file}`);
        assert.match(text, /setTimeout\(\(\) => process\.exit\(\), 10_000\)\.unref\(\)/, `${name}/${file}`);
      }
    }
  });

  test('that is an image has Node 24, on which install.test.js runs it', () => {
    for (const name of FOLDERS) {
      if (!existsSync(path.join(ROOT, 'examples', name, 'Dockerfile'))) continue;
      const images = [...read(`examples/${name}/Dockerfile`).matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
      assert.deepEqual([...new Set(images)], ['node:24-slim'], name);
    }
  });
});

describe('the program of the example', { concurrency: 2 }, () => {
  for (const [name, { show, env = (/** @type {NodeJS.ProcessEnv} */ own) => own }] of Object.entries(CASES)) {
    test(`${name} forms a cluster of two, and leaves it`, { timeout: 90_000 }, async (t) => {
      const project = await copyExample(t, name);
      await runsTwice(
        project.folder,
        (own) => project.run(mainFile(name), env(own)),
        (first, second) => show?.(first, second),
      );
    });

    test(`${name} ends with exit code 1 and the reason if its port is taken`, { timeout: 60_000 }, async (t) => {
      const project = await copyExample(t, name);
      const port = await takenPort(t);
      const own = {
        ...SECRETS,
        PORT: String(port),
        SHAZBOT_BASE_URL: `http://127.0.0.1:${port}/`,
        SHAZBOT_MASTER_LIST: pathToFileURL(path.join(project.folder, 'servers.json')).href,
      };
      const program = project.run(mainFile(name), env(own));
      assert.equal(await program.exit, 1, program.output);
      assert.match(program.output, /EADDRINUSE/);
    });

    test(`${name} ends with exit code 1 and names the settings that are wrong`, { timeout: 60_000 }, async (t) => {
      const project = await copyExample(t, name);
      const [port] = await freePorts(1);
      const wrong = { ...SECRETS, PORT: String(port), SHAZBOT_GOSSIP_INTERVAL: 'abc' };
      const program = project.run(mainFile(name), env(wrong));
      assert.equal(await program.exit, 1, program.output);
      assert.match(program.output, /SHAZBOT_BASE_URL/);
      assert.match(program.output, /SHAZBOT_GOSSIP_INTERVAL: "abc" is not a number of seconds/);
    });
  }

  test('express ends within 17.5 s although a client does not finish its request', { timeout: 60_000 }, async (t) => {
    const project = await copyExample(t, 'express');
    const [port] = await freePorts(1);
    const program = project.run('server.js', {
      ...SECRETS,
      PORT: String(port),
      SHAZBOT_BASE_URL: `http://127.0.0.1:${port}/`,
      SHAZBOT_MASTER_LIST: pathToFileURL(path.join(project.folder, 'servers.json')).href,
    });
    await know(`http://127.0.0.1:${port}/`);
    const client = net.connect(Number(port), '127.0.0.1', () => client.write('GET /peers HTTP/1.1\r\n'));
    t.after(() => client.destroy());
    client.on('error', () => {});
    await once(client, 'connect');
    const since = Date.now();
    program.child.kill('SIGTERM');
    assert.equal(await program.exit, 0, program.output);
    const duration = Date.now() - since;
    assert.ok(duration > 9_000 && duration < 17_500, `${duration} ms`);
  });

  test('express also runs on Express 4', { timeout: 60_000 }, async (t) => {
    const project = await copyExample(t, 'express');
    const link = path.join(project.folder, 'node_modules', 'express');
    rmSync(link);
    symlinkSync(path.join(ROOT, '__test__/apps/express4/node_modules/express'), link, 'junction');
    await runsTwice(project.folder, (own) => project.run('server.js', own), showsPeers);
    const taken = project.run('server.js', { PORT: String(await takenPort(t)) });
    assert.equal(await taken.exit, 1, taken.output);
    assert.match(taken.output, /EADDRINUSE/);
  });

  /** @type {[file: string, ports: (port: number) => NodeJS.ProcessEnv][]} */
  const modes = [
    ['app.mjs', (port) => ({ PORT: String(port - 1) })],
    ['cluster-mode.mjs', (port) => ({ PORT: '0', OWN_PORT: String(port - 1) })],
  ];
  for (const [file, ports] of modes) {
    test(`pm2: ${file} adds the number of its process to the port, and ends`, { timeout: 60_000 }, async (t) => {
      const project = await copyExample(t, 'pm2');
      await runsTwice(project.folder, (own) => {
        const base = { ...own, SHAZBOT_BASE_URL: 'http://127.0.0.1:{port}/', NODE_APP_INSTANCE: '1' };
        return project.run(file, { ...base, ...ports(Number(own.PORT)) });
      });
    });
  }

  test('node-cluster: the workers find each other, and a second signal does not end them early', {
    timeout: 60_000,
  }, async (t) => {
    const project = await copyExample(t, 'node-cluster');
    const [shared] = await freePorts(1);
    const own = await portsInARow(2);
    const primary = project.run('server.js', { ...clusterEnvironment(project, shared), OWN_PORTS: String(own[0]) });
    const urls = own.map((port) => `http://127.0.0.1:${port}/`);
    await know(urls[0], urls[1]).catch((error) => assert.fail(`${error}\nOutput:\n${primary.output}`));
    await refuses(urls[0]);
    assert.match((await request(`http://127.0.0.1:${shared}/`)).text, /^worker [01]\n$/);
    primary.child.kill('SIGTERM');
    primary.child.kill('SIGINT');
    assert.equal(await primary.exit, 0, primary.output);
  });

  test('node-cluster ends with exit code 1 if a port is taken', { timeout: 60_000 }, async (t) => {
    const project = await copyExample(t, 'node-cluster');
    const [own] = await freePorts(1);
    const taken = await takenPort(t);
    const env = { ...clusterEnvironment(project, taken), OWN_PORTS: String(own) };
    for (const ports of [env, { ...env, PORT: String(own), OWN_PORTS: String(taken) }]) {
      const primary = project.run('server.js', ports);
      assert.equal(await primary.exit, 1, primary.output);
      assert.match(primary.output, /EADDRINUSE/);
    }
  });
});

test('the Compose file of prometheus-grafana mounts files that exist and scrapes the servers', () => {
  const folder = 'examples/prometheus-grafana';
  const { services } = /** @type {any} */ (load(read(`${folder}/compose.yaml`)));
  for (const volume of [...services.prometheus.volumes, ...services.grafana.volumes]) {
    assert.ok(existsSync(path.join(ROOT, folder, volume.split(':')[0])), volume);
  }
  const { scrape_configs: jobs } = /** @type {any} */ (load(read(`${folder}/prometheus.yml`)));
  const [scraped] = jobs[0].dns_sd_configs;
  assert.deepEqual([scraped.names, String(scraped.port)], [['app'], services.app.environment.PORT]);
  const { datasources } = /** @type {any} */ (load(read(`${folder}/grafana/datasources.yml`)));
  assert.equal(new URL(datasources[0].url).hostname, 'prometheus');
  assert.ok(services.prometheus && datasources[0].isDefault);
  const { providers } = /** @type {any} */ (load(read(`${folder}/grafana/dashboards.yml`)));
  const home = services.grafana.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH;
  assert.equal(path.posix.dirname(home), providers[0].options.path);
});

/** @param {InstanceType<typeof Project>} project @param {number} port that the workers share */
const clusterEnvironment = (project, port) => ({
  ...SECRETS,
  SHAZBOT_MASTER_LIST: pathToFileURL(path.join(project.folder, 'servers.json')).href,
  SHAZBOT_GOSSIP_INTERVAL: '0.5',
  PORT: String(port),
  WORKERS: '2',
});
