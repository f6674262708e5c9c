'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { folder } = require('../harness/folder.js');
const { root } = require('./support/programs.js');

const PLATFORMS = readdirSync(path.join(root, 'npm')).filter((name) => name.includes('-'));

/** In place of npm: says which versions there are, and writes down what it is to publish. */
const NPM = `#!/usr/bin/env bash
case "$1 $2" in
  "view --loglevel") echo "$LATEST"; [[ $LATEST != E* ]] ;;
  view*) if [[ " $THERE " == *" $2 "* ]]; then echo there; fi ;;
  publish*) shift; echo "$@" >> published ;;
esac
`;

describe('scripts/release/publish.sh', { skip: process.platform === 'win32' && 'it is for a shell' }, () => {
  /**
   * What it publishes, and with which options.
   * @param {string} version
   * @param {{ LATEST?: string, THERE?: string, without?: string }} [given]
   */
  function publish(version, { LATEST = '', THERE = '', without } = {}) {
    const made = folder();
    for (const name of ['scripts/release/publish.sh', 'npm'])
      cpSync(path.join(root, name), path.join(made, name), { recursive: true });
    const packed = path.join(made, 'target', 'pack');
    mkdirSync(packed, { recursive: true });
    for (const name of ['', ...PLATFORMS]) {
      writeFileSync(path.join(packed, `clustershazbot${name && `-${name}`}-${version}.tgz`), '');
    }
    if (without) rmSync(path.join(packed, `clustershazbot-${without}-${version}.tgz`));
    writeFileSync(path.join(made, 'package.json'), JSON.stringify({ version }));
    mkdirSync(path.join(made, 'bin'));
    writeFileSync(path.join(made, 'bin', 'npm'), NPM, { mode: 0o755 });
    writeFileSync(path.join(made, 'published'), '');
    const env = { ...process.env, LATEST, THERE, PATH: `${path.join(made, 'bin')}:${process.env.PATH}` };
    const read = () => readFileSync(path.join(made, 'published'), 'utf8').split('\n').slice(0, -1);
    try {
      execFileSync('scripts/release/publish.sh', ['--provenance'], { cwd: made, env, stdio: 'pipe' });
    } catch (error) {
      return { published: read(), error: String(/** @type {{ stderr?: unknown }} */ (error).stderr) };
    }
    return { published: read() };
  }

  test('publishes each platform, and the package last', () => {
    const { published } = publish('2.1.0', { LATEST: '2.0.9' });
    const names = PLATFORMS.map((name) => `target/pack/clustershazbot-${name}-2.1.0.tgz`).sort();
    const options = '--access public --provenance';
    assert.deepEqual(
      published.slice(0, -1).sort(),
      names.map((name) => `${name} ${options}`),
    );
    assert.equal(published.at(-1), `target/pack/clustershazbot-2.1.0.tgz ${options}`);
  });

  test('publishes nothing where a platform is missing', () => {
    const { published, error } = publish('2.1.0', { without: 'darwin-x64' });
    assert.deepEqual(published, []);
    assert.match(String(error), /clustershazbot-darwin-x64-2\.1\.0\.tgz is missing/);
  });

  test('publishes nothing where the latest cannot be asked for, and all where there is none', () => {
    const { published, error } = publish('2.0.1', { LATEST: 'ETIMEDOUT' });
    assert.deepEqual(published, []);
    assert.match(String(error), /ETIMEDOUT/);
    assert.equal(publish('2.0.1', { LATEST: 'E404' }).published.length, PLATFORMS.length + 1);
  });

  test('leaves alone what is there already', () => {
    const there = PLATFORMS.map((name) => `clustershazbot-${name}@2.1.0`).join(' ');
    assert.equal(publish('2.1.0', { THERE: there }).published.length, 1);
  });

  for (const [version, latest, tag] of /** @type {[string, string, string?][]} */ ([
    ['2.0.0', '1.4.2'],
    ['2.10.0', '2.9.0'],
    ['2.1.0', '2.1.0'],
    ['2.1.0', '2.1.0-rc.1'],
    ['2.0.1', '2.1.0', 'latest-2.0'],
    ['3.0.0-rc.1', '2.1.0', 'next'],
  ])) {
    test(`gives ${version} the tag ${tag ?? 'latest'} beside ${latest}`, () => {
      const { published } = publish(version, { LATEST: latest });
      assert.equal(published.length, PLATFORMS.length + 1);
      for (const line of published) assert.equal(/--tag (\S+)/.exec(line)?.[1], tag);
    });
  }
});
