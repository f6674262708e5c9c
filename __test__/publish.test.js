'use strict';

// scripts/publish.sh with a fake npm: which packages it publishes, in which order and with which tag.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { folder } = require('../harness/folder.js');
const { root } = require('./support/programs.js');

const PLATFORMS = readdirSync(path.join(root, 'npm')).filter((name) => name.includes('-'));

/** A fake npm: it knows the packages in $PUBLISHED and the latest version $LATEST, and logs what it should publish. */
const FAKE_NPM = `#!/usr/bin/env bash
case "$1 $2" in
  "view --loglevel") echo "$LATEST"; [[ $LATEST != E* ]] ;;
  view*) if [[ " $PUBLISHED " == *" $2 "* ]]; then echo published; fi ;;
  publish*) shift; echo "$@" >> published ;;
esac
`;

describe('scripts/publish.sh', { skip: process.platform === 'win32' && 'a shell script' }, () => {
  /**
   * Runs the script, and returns what it published with which options, and its error output if it failed.
   *
   * @param {string} version
   * @param {{ LATEST?: string, PUBLISHED?: string, without?: string }} [options] `without` the package of a platform
   */
  function publish(version, { LATEST = '', PUBLISHED = '', without } = {}) {
    const project = folder();
    for (const name of ['scripts/publish.sh', 'npm'])
      cpSync(path.join(root, name), path.join(project, name), { recursive: true });
    const packed = path.join(project, 'target', 'pack');
    mkdirSync(packed, { recursive: true });
    for (const name of ['', ...PLATFORMS]) {
      writeFileSync(path.join(packed, `clustershazbot${name && `-${name}`}-${version}.tgz`), '');
    }
    if (without) rmSync(path.join(packed, `clustershazbot-${without}-${version}.tgz`));
    writeFileSync(path.join(project, 'package.json'), JSON.stringify({ version }));
    mkdirSync(path.join(project, 'bin'));
    writeFileSync(path.join(project, 'bin', 'npm'), FAKE_NPM, { mode: 0o755 });
    writeFileSync(path.join(project, 'published'), '');
    const env = { ...process.env, LATEST, PUBLISHED, PATH: `${path.join(project, 'bin')}:${process.env.PATH}` };
    const read = () => readFileSync(path.join(project, 'published'), 'utf8').split('\n').slice(0, -1);
    try {
      execFileSync('scripts/publish.sh', ['--provenance'], { cwd: project, env, stdio: 'pipe' });
    } catch (error) {
      return { published: read(), error: String(/** @type {{ stderr?: unknown }} */ (error).stderr) };
    }
    return { published: read() };
  }

  test('publishes the package of every platform, and the main package last', () => {
    const { published } = publish('2.1.0', { LATEST: '2.0.9' });
    const names = PLATFORMS.map((name) => `target/pack/clustershazbot-${name}-2.1.0.tgz`).sort();
    const options = '--access public --provenance';
    assert.deepEqual(
      published.slice(0, -1).sort(),
      names.map((name) => `${name} ${options}`),
    );
    assert.equal(published.at(-1), `target/pack/clustershazbot-2.1.0.tgz ${options}`);
  });

  test('publishes nothing if the package of a platform is missing', () => {
    const { published, error } = publish('2.1.0', { without: 'darwin-x64' });
    assert.deepEqual(published, []);
    assert.match(String(error), /clustershazbot-darwin-x64-2\.1\.0\.tgz is missing/);
  });

  test('publishes nothing if npm cannot tell the latest version, but everything if there is no version yet', () => {
    const { published, error } = publish('2.0.1', { LATEST: 'ETIMEDOUT' });
    assert.deepEqual(published, []);
    assert.match(String(error), /ETIMEDOUT/);
    assert.equal(publish('2.0.1', { LATEST: 'E404' }).published.length, PLATFORMS.length + 1);
  });

  test('skips packages that are published already', () => {
    const platforms = PLATFORMS.map((name) => `clustershazbot-${name}@2.1.0`).join(' ');
    assert.equal(publish('2.1.0', { PUBLISHED: platforms }).published.length, 1);
  });

  for (const [version, latest, tag] of /** @type {[string, string, string?][]} */ ([
    ['2.0.0', '1.4.2'],
    ['2.10.0', '2.9.0'],
    ['2.1.0', '2.1.0'],
    ['2.1.0', '2.1.0-rc.1'],
    ['2.0.1', '2.1.0', 'latest-2.0'],
    ['3.0.0-rc.1', '2.1.0', 'next'],
  ])) {
    test(`tags ${version} as ${tag ?? 'latest'} if ${latest} is the latest version`, () => {
      const { published } = publish(version, { LATEST: latest });
      assert.equal(published.length, PLATFORMS.length + 1);
      for (const line of published) assert.equal(/--tag (\S+)/.exec(line)?.[1], tag);
    });
  }
});
