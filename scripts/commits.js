'use strict';

// Checks that a commit message has a subject of at most 72 characters and a body. `npm test` checks the commits since
// BASE; scripts/hooks/commit-msg passes the file with a new message.

const { spawnSync } = require('node:child_process');
const { readFileSync } = require('node:fs');

const { ROOT } = require('./shared/cargo.js');

/** The last commit from before this rule. */
const BASE = 'fa816491bf67b7ae7c8eda92003e1012272924c8';
const LONGEST = 72;

/**
 * @param {string} message
 * @returns {string | undefined} what is wrong with it
 */
function problemOf(message) {
  const [subject = '', blank = '', ...body] = message.split('\n');
  if (subject.length > LONGEST) return `the subject has ${subject.length} characters, ${LONGEST} are allowed`;
  if (blank.trim() !== '') return 'the second line is not blank';
  if (body.join('').trim() === '') return 'the body is missing: say why the change is made';
  return undefined;
}

/** @param {string[]} args */
const git = (...args) => spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });

/** @returns {{ name: string, message: string }[]} */
function history() {
  if (git('merge-base', '--is-ancestor', BASE, 'HEAD').status !== 0) {
    console.log('Skipped: the history does not reach back to the commit where the check begins.');
    return [];
  }
  const log = git('log', '--no-merges', '--format=%h%n%B%x00', `${BASE}..HEAD`).stdout;
  return log
    .split('\0')
    .map((text) => text.trimStart())
    .filter(Boolean)
    .map((text) => ({ name: text.slice(0, text.indexOf('\n')), message: text.slice(text.indexOf('\n') + 1) }));
}

/** The message that git has in a file for its hook, without comments and the diff of `git commit --verbose`. @param {string} file */
function draft(file) {
  const [text = ''] = readFileSync(file, 'utf8').split(/^# -+ >8 -+$/m);
  return text.replace(/^#.*\n?/gm, '').trimStart();
}

const [file] = process.argv.slice(2);
const commits = file === undefined ? history() : [{ name: 'commit message', message: draft(file) }];
for (const { name, message } of commits) {
  const problem = problemOf(message);
  if (problem === undefined) continue;
  console.error(`${name} ${message.split('\n', 1)}\n  ${problem}`);
  process.exitCode = 1;
}
