'use strict';

// The Prometheus metrics and the Grafana dashboard, checked with Prometheus' own tool.

const assert = require('node:assert/strict');
const { readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Registry } = require('prom-client');

const { SECRET } = require('../harness/cluster.js');
const { catchWarnings, freshEngine, startEngine } = require('../harness/engine.js');
const { unusedUrl, startFakePeer } = require('../harness/fake-peer.js');
const { folder } = require('../harness/folder.js');
const { entry, message } = require('../harness/gossip.js');
const { root } = require('./support/programs.js');
const { missing: skip, runPromtool } = require('./support/promtool.js');
const { until } = require('../harness/until.js');

/**
 * Registers the metrics of the engine that was loaded last in a new registry.
 *
 * @param {string[]} [tags]
 */
function newRegistry(tags) {
  /** @type {typeof import('../lib/prometheus.js')} */
  const { shazbotMetrics } = require('clustershazbot/prometheus');
  const register = new Registry();
  shazbotMetrics({ register, tags });
  return register;
}

/**
 * @param {string} text
 * @returns {Record<string, number>} the values by name and labels
 */
function parseSamples(text) {
  const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

describe('the metrics', () => {
  test("have names, types and help texts that pass Prometheus' linter", { skip }, async (t) => {
    await startEngine(t);
    const register = newRegistry(['version']);
    assert.equal(await runPromtool(['check', 'metrics'], await register.metrics()), '');
    // Shows that the linter does report mistakes.
    assert.match(await runPromtool(['check', 'metrics'], '# TYPE a_total gauge\na_total 1\n'), /a_total/);
  });

  test('count members, exchanges, durations, bytes and the master list', async (t) => {
    const warnings = catchWarnings(t);
    const peer = await startFakePeer(t);
    const refusing = await unusedUrl();
    const { shazbotGossipRequest } = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.3' });
    const register = newRegistry();
    await shazbotGossipRequest(SECRET, message([peer.entry(), entry(refusing)], [entry('http://10.0.0.1/')]));
    await assert.rejects(shazbotGossipRequest('wrong', message()));
    const found = await until(
      async () => {
        const now = parseSamples(await register.metrics());
        const out = (/** @type {string} */ result) =>
          Number(now[`clustershazbot_exchanges_total{direction="out",result="${result}"}`]);
        const isRead = Object.keys(now).some((name) => name.startsWith('clustershazbot_master_list_age_seconds'));
        return out('answered') > 1 && out('refused') > 1 && isRead ? now : undefined;
      },
      { timeout: 20_000, what: 'two exchanges were answered and two refused' },
    );
    assert.equal(found.clustershazbot_up, 1);
    assert.equal(found['clustershazbot_members{state="online"}'], 3);
    assert.equal(found['clustershazbot_members{state="unknown"}'], 1, 'version 1 gives no reason');
    assert.equal(found['clustershazbot_exchanges_total{direction="in",result="answered"}'], 1);
    assert.equal(found['clustershazbot_exchanges_total{direction="in",result="rejected"}'], 1);
    const buckets = Object.entries(found).filter(([name]) => name.includes('_bucket{'));
    assert.ok(
      buckets.every(([, value], i) => i === 0 || value >= Number(buckets[i - 1]?.[1])),
      'the buckets are cumulative',
    );
    const all = found['clustershazbot_exchange_duration_seconds_bucket{le="+Inf"}'];
    assert.ok(Number(all) > 1 && all === found.clustershazbot_exchange_duration_seconds_count);
    assert.ok(Number(found.clustershazbot_exchange_duration_seconds_sum) > 0);
    assert.ok(Number(found['clustershazbot_sent_bytes_total{direction="out"}']) > 100);
    assert.ok(Number(found.clustershazbot_event_loop_seconds_total) > 0);
    assert.deepEqual(warnings, []);
  });

  test('count the servers online by the tags that the program names, and by no others', async (t) => {
    const tags = 'version=1.4.2,note=not asked for';
    const { shazbotGossipRequest } = await startEngine(t, { SHAZBOT_TAGS: tags });
    const register = newRegistry(['version', 'zone', 'constructor']);
    const now = Date.now();
    const online = Array.from({ length: 120 }, (_, n) => ({
      ...entry(`http://10.0.0.${n + 1}/`),
      shazbot: `${now}.1>tversion=1.4.2&zone=${n}`,
    }));
    await shazbotGossipRequest(SECRET, message(online));
    const samples = Object.entries(parseSamples(await register.metrics())).filter(([name]) => name.includes('tagged'));
    const found = Object.fromEntries(samples);
    const value = (/** @type {string} */ labels) => found[`clustershazbot_tagged_servers{${labels}}`];
    assert.equal(value('tag="version",value="1.4.2"'), 121);
    assert.equal(value('tag="zone",value=""'), 1, 'this server has no zone');
    assert.equal(value('tag="zone",value="other"'), 21, 'the number of time series is limited');
    assert.equal(value('tag="constructor",value=""'), 121);
    assert.equal(samples.length, 103);
    assert.ok(!(await newRegistry().metrics()).includes('tagged'));
  });

  test('consist of clustershazbot_up 0 before the start', async () => {
    freshEngine();
    assert.deepEqual(parseSamples(await newRegistry(['version']).metrics()), { clustershazbot_up: 0 });
  });

  test("go into prom-client's default registry, and cannot be registered twice in a registry", async (t) => {
    freshEngine();
    const { shazbotMetrics } = require('clustershazbot/prometheus');
    const { register } = require('prom-client');
    t.after(() => register.clear());
    shazbotMetrics();
    assert.ok(register.getSingleMetric('clustershazbot_up'));
    assert.throws(() => shazbotMetrics(), /clustershazbot_up has already been registered/);
  });

  test('have a series for each master list, even if the names differ only in the hidden query', async (t) => {
    const lists = ['a', 'b'].map((name) => `http://127.0.0.1:9/list.json?signature=${name}`).join(' ');
    const update = { SHAZBOT_MASTER_LIST_UPDATE: lists, SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'x' };
    await startEngine(t, { SHAZBOT_MASTER_LIST: lists, ...update });
    const series = (await newRegistry().metrics()).match(/^clustershazbot_master_list_servers\{.*\}/gm) ?? [];
    assert.deepEqual([series.length, new Set(series).size], [2, 2]);
  });

  test('can be exported as OpenMetrics, more than once', async (t) => {
    await startEngine(t);
    const { shazbotMetrics } = require('clustershazbot/prometheus');
    const register = /** @type {Registry<import('prom-client').OpenMetricsContentType>} */ (new Registry());
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    shazbotMetrics({ register });
    await register.metrics();
    const text = await register.metrics();
    assert.match(text, /^# TYPE clustershazbot_updates counter\nclustershazbot_updates_total 0$/m);
    assert.match(text, /# EOF\n$/);
  });
});

describe('the Grafana dashboard', () => {
  const dashboard = JSON.parse(
    readFileSync(path.join(root, 'examples/prometheus-grafana/grafana/clustershazbot.json'), 'utf8'),
  );
  /** @type {string[]} */
  const queries = dashboard.panels.flatMap((/** @type {any} */ panel) =>
    panel.targets.map((/** @type {{ expr: string }} */ { expr }) =>
      expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', '.*'),
    ),
  );

  test('queries every metric of the package, and no other', async (t) => {
    await startEngine(t);
    const text = await newRegistry(['version', 'zone']).metrics();
    const exported = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => String(name));
    const names = queries.flatMap((query) => query.match(/clustershazbot_\w+/g) ?? []);
    const queried = names.map((name) => name.replace(/_bucket$/, ''));
    assert.deepEqual([...new Set(queried)].sort(), exported.sort());
  });

  test("has queries that Prometheus' parser accepts", { skip }, async () => {
    const file = path.join(folder(), 'rules.json');
    const rules = queries.map((expr, i) => ({ record: `panel:${i}`, expr }));
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    assert.equal(await runPromtool(['check', 'rules', file]), '');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: [{ record: 'a', expr: 'sum(' }] }] }));
    // Shows that the parser does report mistakes.
    assert.match(await runPromtool(['check', 'rules', file]), /parse/);
  });

  test('comes with a configuration that Prometheus accepts', { skip }, async () => {
    const file = path.join(root, 'examples/prometheus-grafana/prometheus.yml');
    assert.equal(await runPromtool(['check', 'config', file]), '');
    const wrong = path.join(folder(), 'prometheus.yml');
    writeFileSync(wrong, readFileSync(file, 'utf8').replace('type: A', 'type: B'));
    assert.match(await runPromtool(['check', 'config', wrong]), /B/);
  });
});
