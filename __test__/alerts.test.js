'use strict';

// The alert rules in examples/prometheus-grafana: each fires when it should, and not in ordinary operation.

const assert = require('node:assert/strict');
const { writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { load } = require('js-yaml');

const { folder } = require('../harness/folder.js');
const { ROOT, read } = require('./support/documents.js');
const { missing: skip, runPromtool } = require('./support/promtool.js');

const FILE = 'examples/prometheus-grafana/alerts.yml';
/** @type {{ groups: { name: string, rules: { alert: string, expr: string, labels: { severity: string }, annotations: { runbook: string } }[] }[] }} */
const { groups } = /** @type {any} */ (load(read(FILE)));
const RULES = groups.flatMap(({ rules }) => rules);

/**
 * The metrics of servers over an hour, a sample a minute.
 *
 * @param {{ up?: string, states?: Record<string, string>, more?: Record<string, string> }[]} servers
 *   values in the notation of promtool: `3x60` is 3 for 60 minutes; `more`: by name
 */
const series = (servers) =>
  servers.flatMap(({ up = '1x60', states = {}, more = {} }, n) => {
    const labels = `job="app",instance="${n}"`;
    const given = { online: `${servers.length}x60`, suspect: '0x60', drained: '0x60', left: '0x60', failed: '0x60' };
    return [
      { series: `clustershazbot_up{${labels}}`, values: up },
      ...Object.entries({ ...given, ...states }).map(([state, values]) => ({
        series: `clustershazbot_members{${labels},state="${state}"}`,
        values,
      })),
      ...Object.entries(more).map(([name, values]) => {
        const [metric, own] = name.replace('}', '').split('{');
        return { series: `${metric}{${[labels, own].filter(Boolean).join()}}`, values };
      }),
    ];
  });

const ONE = {};
/** @type {Record<string, [input: object[], fires: string[]]>} what happens, from minute 30 on, and which alerts fire at minute 50 */
const CASES = {
  'nothing happens': [series([ONE, ONE, ONE]), []],
  'one of four servers fails': [
    series(Array(3).fill({ states: { online: '4x30 3x30', failed: '0x30 1x30' } })),
    // A server that has failed exports nothing.
    [],
  ],
  'one of three is drained': [series(Array(3).fill({ states: { online: '3x30 2x30', drained: '0x30 1x30' } })), []],
  'a server runs, and one of three does not list it': [
    series([ONE, { states: { online: '3x30 2x30', failed: '0x30 1x30' } }, ONE]),
    ['ClustershazbotServerNotListed'],
  ],
  'four servers are cut in halves': [
    series(Array(4).fill({ states: { online: '4x30 2x30', failed: '0x30 2x30' } })),
    ['ClustershazbotServerNotListed'],
  ],
  'all but one are gone': [
    series([{ states: { online: '3x30 1x30', failed: '0x30 2x30' } }]),
    ['ClustershazbotFewServers'],
  ],
  'four of ten servers fail within minutes': [
    series(Array(6).fill({ states: { online: '10x45 6x15', failed: '0x45 4x15' } })),
    ['ClustershazbotManyFailed'],
  ],
  'an engine does not run': [series([ONE, ONE, { up: '1x30 0x30', states: {} }]), ['ClustershazbotEngineDown']],
  'a warning holds': [
    series([{ more: { 'clustershazbot_warnings{code="SHAZBOT_CLOCK"}': '0x30 1x30' } }, ONE]),
    ['ClustershazbotWarning'],
  ],
  'a server denies that it is offline, again and again': [
    series([{ more: { clustershazbot_refutations_total: '0x30 1+1x30' } }, ONE]),
    ['ClustershazbotFlapping'],
  ],
  'nobody reads the master list': [
    series([{ more: { 'clustershazbot_master_list_age_seconds{list="l"}': '600x30 3660+60x30' } }, ONE]),
    ['ClustershazbotMasterListStale'],
  ],
  'Prometheus reads no server': [[], ['ClustershazbotNoMetrics']],
};

describe('the alert rules', () => {
  test('each have a severity, a section that says what to do, and a line in the documents', () => {
    const page = read('docs/events-and-metrics.md');
    for (const { alert, labels, annotations } of RULES) {
      assert.match(labels.severity, /^(?:page|ticket)$/, alert);
      const [file = '', anchor] = annotations.runbook.split('#');
      const anchors = [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
        String(title)
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      );
      assert.ok(anchors.includes(String(anchor)), annotations.runbook);
      assert.ok(page.includes(`| \`${alert}\` |`), alert);
    }
  });

  test('use only metrics that the package exports', () => {
    const exported = read('lib/prometheus.js');
    const names = RULES.flatMap(({ expr }) => expr.match(/clustershazbot_\w+/g) ?? []);
    for (const name of new Set(names)) assert.ok(exported.includes(`'${name}'`), name);
  });

  for (const [what, [input, fires]] of Object.entries(CASES)) {
    test(`fire as they should if ${what}`, { skip }, async () => {
      // Expects that no alert fires, so that promtool names each that does.
      const none = RULES.map(({ alert }) => ({ eval_time: '50m', alertname: alert }));
      const tests = [{ interval: '1m', input_series: input, alert_rule_test: none }];
      const file = path.join(folder(), 'test.json');
      writeFileSync(file, JSON.stringify({ rule_files: [path.join(ROOT, FILE)], evaluation_interval: '1m', tests }));
      const output = await runPromtool(['test', 'rules', file]);
      const named = [...output.matchAll(/alertname: (\w+), time/g)].map(([, name]) => name);
      assert.deepEqual([...new Set(named)].sort(), [...fires].sort(), output);
    });
  }
});
