'use strict';

// Ends a command whose package manager was ended, and what a package manager or a shell runs: npm ends on a signal and passes it to
// its shell, which passes it to nothing.

const { spawnSync } = require('node:child_process');

const SHELL = /^-?(?:\S*\/)?(?:sh|ash|bash|dash|zsh)\b/;
const PACKAGE_MANAGER = /^(?:\S*\/)?(?:npm|npx|pnpm|yarn)\b/;
const POLL_MS = 500;

/** @typedef {{ pid: number, parent: number, command: string }} Process */

/**
 * Sends SIGTERM to this process when the package manager that runs it has ended.
 * @param {NodeJS.ProcessEnv} env
 */
function endWithPackageManager({ npm_config_user_agent: manager }) {
  // On Windows a process keeps the number of a parent that has ended.
  if (!manager || process.platform === 'win32') return;
  const { ppid } = process;
  const parent = allProcesses().find(({ pid }) => pid === ppid);
  // With some shells it is the package manager itself.
  const above = parent && SHELL.test(parent.command) ? parent.parent : ppid;
  const timer = setInterval(() => {
    if (process.ppid === ppid && isRunning(above)) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, POLL_MS).unref();
}

/**
 * Sends a signal to a process, and to those below it that a package manager or a shell runs.
 * @param {number} root
 * @param {NodeJS.Signals} signal
 */
function signalProgram(root, signal) {
  const all = process.platform === 'win32' ? [] : allProcesses();
  /** @type {(pid: number) => number[]} */
  const below = (pid) => {
    const command = all.find((it) => it.pid === pid)?.command ?? '';
    if (!SHELL.test(command) && !PACKAGE_MANAGER.test(command)) return [];
    return all.filter(({ parent }) => parent === pid).flatMap(({ pid }) => [pid, ...below(pid)]);
  };
  for (const pid of [root, ...below(root)]) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended.
    }
  }
}

/** @returns {Process[]} empty where there is no `ps` */
function allProcesses() {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid,ppid,args'], { encoding: 'utf8' });
  return [...(stdout ?? '').matchAll(/^ *(\d+) +(\d+) +(.*)$/gm)].map(([, pid, parent, command = '']) => ({
    pid: Number(pid),
    parent: Number(parent),
    command,
  }));
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

module.exports = { endWithPackageManager, isRunning, signalProgram };
