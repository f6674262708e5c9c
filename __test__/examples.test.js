'use strict';

// The folders in examples/ for platforms: their files can be parsed, and the engine accepts the variables that they set.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { readFileSync, readdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { load, loadAll } = require('js-yaml');

const { folder } = require('../harness/folder.js');
const { fillBaseUrl } = require('../lib/base-url.js');
const { Engine } = require('../lib/binary.js');
const { KINDS } = require('../lib/config.js');
const { ROOT, read } = require('./support/documents.js');

/** @typedef {Record<string, string>} Variables */

const SECRETS = {
  SHAZBOT_SECRET: 'a secret of at least 16 bytes',
  SHAZBOT_CONTROL_SECRET: 'another secret of at least 16 bytes',
};

/**
 * The name and value pairs of Kubernetes and ECS as variables; what the platform fills in is taken from `platform`.
 *
 * @param {{ name: string, value?: string }[]} pairs
 * @param {Variables} platform
 * @returns {Variables}
 */
function variablesOf(pairs, platform) {
  return Object.fromEntries(
    pairs.map(({ name, value = platform[name] }) => {
      assert.equal(typeof value, 'string', `${name} is a string, or filled in by the platform`);
      return [name, String(value)];
    }),
  );
}

/** @param {string} file @param {Variables} platform */
function kubernetes(file, platform) {
  /** @type {any[]} */
  const [service, workload] = loadAll(read(file));
  assert.deepEqual([service.spec.clusterIP, service.spec.publishNotReadyAddresses], ['None', true]);
  const { spec, metadata } = workload.spec.template;
  assert.deepEqual(service.spec.selector, metadata.labels);
  assert.deepEqual(workload.spec.selector.matchLabels, metadata.labels);
  const [container] = spec.containers;
  assert.equal(container.ports[0].containerPort, service.spec.ports[0].port);
  // The list may need a secret.
  assert.equal(container.readinessProbe.httpGet.path, '/clustershazbot/health');
  const variables = variablesOf(container.env, platform);
  assert.equal(new URL(String(variables.SHAZBOT_MASTER_LIST).slice(4)).hostname, service.metadata.name);
  if (workload.kind === 'StatefulSet') assert.equal(workload.spec.serviceName, service.metadata.name);
  return variables;
}

/** The lines `NAME=value`, `NAME = "value"` of a text. @param {string} text @param {RegExp} line */
const lines = (text, line) => Object.fromEntries([...text.matchAll(line)].map(([, name, value]) => [name, value]));

/** @type {Record<string, { variables: () => Variables, baseUrl: string | RegExp }>} */
const PLATFORMS = {
  'kubernetes-deployment': {
    variables: () => kubernetes('examples/kubernetes-deployment/app.yaml', { POD_IP: 'fd00::7' }),
    baseUrl: 'http://[fd00::7]:3000/',
  },
  'kubernetes-statefulset': {
    variables: () =>
      kubernetes('examples/kubernetes-statefulset/app.yaml', { POD_NAME: 'app-0', POD_NAMESPACE: 'shop' }),
    baseUrl: 'http://app-0.app-cluster.shop.svc.cluster.local:3000/',
  },
  compose: {
    variables: () => {
      const { services } = /** @type {any} */ (load(read('examples/compose/compose.yaml')));
      return { ...services.app.environment, ...SECRETS };
    },
    baseUrl: /^http:\/\/[\d.]+:3000\/$/,
  },
  ecs: {
    variables: () => {
      const { containerDefinitions } = JSON.parse(read('examples/ecs/task-definition.json'));
      const [container] = containerDefinitions;
      assert.deepEqual(container.secrets.map((/** @type {any} */ it) => it.name).sort(), Object.keys(SECRETS).sort());
      return variablesOf(container.environment, {});
    },
    baseUrl: /^http:\/\/[\d.]+:3000\/$/,
  },
  fly: {
    variables: () => ({
      ...lines(read('examples/fly/fly.toml'), /^([A-Z_]+) = "(.*)"$/gm),
      FLY_PRIVATE_IP: 'fdaa:0:1::3',
    }),
    baseUrl: 'http://[fdaa:0:1::3]:3000/',
  },
  nomad: {
    variables: () => ({
      ...lines(read('examples/nomad/app.nomad.hcl'), /^ +([A-Z_]+) += "(.*)"$/gm),
      NOMAD_ADDR_http: '10.0.0.5:23456',
    }),
    baseUrl: 'http://10.0.0.5:23456/',
  },
  pm2: {
    variables: () => {
      const { apps } = require('../examples/pm2/ecosystem.config.cjs');
      const { instances, exec_mode: mode, env = {} } = apps[0] ?? {};
      assert.deepEqual([apps.length, instances, mode], [1, 4, 'fork']);
      return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
    },
    baseUrl: 'http://127.0.0.1:3000/',
  },
  systemd: {
    variables: () => {
      const variables = lines(read('examples/systemd/app@.service'), /^Environment=(\w+)=(.*)$/gm);
      return Object.fromEntries(Object.entries(variables).map(([name, it]) => [name, it.replaceAll('%i', '3000')]));
    },
    baseUrl: /^http:\/\/[^{]+:3000\/$/,
  },
};

/** Seconds for which each platform waits before it kills a program, by the file that says so. */
const STOP_TIMEOUTS = {
  'examples/compose/compose.yaml': /stop_grace_period: (\d+)s/,
  'examples/ecs/task-definition.json': /"stopTimeout": (\d+)/,
  'examples/fly/fly.toml': /kill_timeout = "(\d+)s"/,
  'examples/kubernetes-deployment/app.yaml': /terminationGracePeriodSeconds: (\d+)/,
  'examples/kubernetes-statefulset/app.yaml': /terminationGracePeriodSeconds: (\d+)/,
  'examples/nomad/app.nomad.hcl': /kill_timeout = "(\d+)s"/,
  'examples/pm2/cluster-mode.config.cjs': /kill_timeout: (\d+)_000/,
  'examples/pm2/ecosystem.config.cjs': /kill_timeout: (\d+)_000/,
  'examples/prometheus-grafana/compose.yaml': /stop_grace_period: (\d+)s/,
  'examples/systemd/app@.service': /TimeoutStopSec=(\d+)/,
};
/** Seconds of a preStop hook: the drain command waits at most this long for an answer, in addition to the sleep. */
const DRAIN_COMMAND = 5;

describe('the examples for platforms', () => {
  test('have a page each in docs/deploy, which links to the folder', () => {
    for (const name of [...Object.keys(PLATFORMS), 'nginx']) {
      assert.ok(read(`docs/deploy/${name}.md`).includes(`(../../examples/${name})`), name);
    }
    for (const page of readdirSync(path.join(ROOT, 'docs/deploy'))) {
      assert.ok(read('docs/README.md').includes(`(deploy/${page})`), page);
    }
  });

  test('wait longer for the end of a program than its shutdown takes', () => {
    const page = read('docs/production.md');
    const part = (/** @type {RegExp} */ row) => Number(row.exec(page)?.[1]);
    const [drain, leave, timer] = [
      part(/^ *\| `drainFor: 1500` \| ([\d.]+) s/m),
      part(/^ *\| `shazbotShutDown` \| (\d+) s/m),
      part(/exit timer \| (\d+) s/),
    ];
    const needed = Number(drain) + Number(leave) + Number(timer);
    assert.ok(page.includes(`at most, ${needed} s.`), `production.md: ${drain} + ${leave} + ${timer} = ${needed} s`);
    for (const [file, pattern] of Object.entries(STOP_TIMEOUTS)) {
      const text = read(file);
      const sleep = /; sleep (\d+)/.exec(text)?.[1];
      const hook = sleep ? Number(sleep) + DRAIN_COMMAND : 0;
      if (hook) assert.ok(page.includes(`the examples: ${hook} s |`), file);
      assert.ok(Number(pattern.exec(text)?.[1]) > needed + hook, `${file}: more than ${needed + hook} s`);
    }
  });

  for (const [name, { variables, baseUrl }] of Object.entries(PLATFORMS)) {
    test(`${name}: the base URL is filled in, and each variable exists`, async () => {
      const given = variables();
      const unknown = Object.keys(given).filter((it) => it.startsWith('SHAZBOT_') && !Object.hasOwn(KINDS, it));
      assert.deepEqual(unknown, []);
      const filled = await fillBaseUrl(given, { addresses: ['10.0.0.7'] });
      assert.deepEqual(filled.problems, []);
      if (typeof baseUrl === 'string') assert.equal(filled.baseUrl, baseUrl);
      else assert.match(String(filled.baseUrl), baseUrl);
    });

    test(`${name}: the engine accepts the variables`, async () => {
      const given = variables();
      const { baseUrl: filled = '' } = await fillBaseUrl(given, { addresses: ['10.0.0.7'] });
      assert.deepEqual(Engine.check({ ...given, ...SECRETS, SHAZBOT_BASE_URL: filled }), []);
    });
  }

  const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
  test('systemd: the unit is valid', { skip: !hasSystemd && 'systemd-analyze is not installed' }, () => {
    const directory = folder();
    const unit = path.join(directory, 'app@3000.service');
    // A Node that exists here.
    const text = readFileSync(path.join(ROOT, 'examples/systemd/app@.service'), 'utf8');
    writeFileSync(unit, text.replace('/usr/bin/node', process.execPath));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /app@3000/, stderr);
  });
});
