'use strict';

// scripts/release/publish.sh with a fake npm: which packages it publishes, in which order and with which tag.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { folder } = require('../harness/folder.js');
const { root } = require('./support/programs.js');

const PLATFORMS = readdirSync(path.join(root, 'npm')).filter((name) => name.includes('-'));

/**
 * A fake npm: it knows the packages in $PUBLISHED, with the integrity $INTEGRITY, and the latest version $LATEST, and logs what
 * it should publish.
 */
const FAKE_NPM = `#!/usr/bin/env bash
case "$1 $4" in
  "view clustershazbot") echo "$LATEST"; [[ $LATEST != E* ]] ;;
  view*) if [[ " $PUBLISHED " == *" $4 "* ]]; then echo "$INTEGRITY"; fi ;;
  publish*) shift; echo "$@" >> published ;;
esac
`;

/** The packages in target/pack are empty files here. */
const INTEGRITY_OF_NOTHING = `sha512-${createHash('sha512').digest('base64')}`;

describe('scripts/release/publish.sh', { skip: process.platform === 'win32' && 'a shell script' }, () => {
  /**
   * Runs the script, and returns what it published with which options, and its error output if it failed.
   *
   * @param {string} version
   * @param {{ LATEST?: string, PUBLISHED?: string, INTEGRITY?: string, without?: string }} [options] `without` the package
   *   of a platform
   */
  function publish(version, { LATEST = '', PUBLISHED = '', INTEGRITY = INTEGRITY_OF_NOTHING, without } = {}) {
    const project = folder();
    for (const name of ['scripts/release/publish.sh', 'npm'])
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
    const env = {
      ...process.env,
      LATEST,
      PUBLISHED,
      INTEGRITY,
      PATH: `${path.join(project, 'bin')}:${process.env.PATH}`,
    };
    const read = () => readFileSync(path.join(project, 'published'), 'utf8').split('\n').slice(0, -1);
    try {
      execFileSync('scripts/release/publish.sh', ['--provenance'], { cwd: project, env, stdio: 'pipe' });
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

  test('publishes nothing if somebody else has published the package of a platform in this version', () => {
    const { published, error } = publish('2.1.0', {
      PUBLISHED: 'clustershazbot-win32-x64-msvc@2.1.0',
      INTEGRITY: `sha512-${createHash('sha512').update('another').digest('base64')}`,
    });
    assert.deepEqual(published, []);
    assert.match(String(error), /clustershazbot-win32-x64-msvc 2\.1\.0 in the registry is not/);
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
