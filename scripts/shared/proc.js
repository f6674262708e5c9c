'use strict';

// Reads what a process uses, from Linux's /proc.

const { readFileSync, readdirSync } = require('node:fs');

/** Resident memory in bytes. @param {number} pid */
function memoryOf(pid) {
  return 1024 * Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** CPU time in ms of all threads that the process has now. @param {number} pid */
function cpuOf(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map((id) => Number.parseInt(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8'), 10));
  return times.reduce((sum, time) => sum + time, 0) / 1e6;
}

/** How many files and sockets are open. @param {number} pid */
const descriptorsOf = (pid) => readdirSync(`/proc/${pid}/fd`).length;

module.exports = { cpuOf, descriptorsOf, memoryOf };
