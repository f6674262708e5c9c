'use strict';

// Child process that measures how long `require` of the package takes.

const { answer } = require('./children.js');

answer((/** @type {{ who: 'ours' | 'baseline' }} */ { who }) => {
  const { threadTime } = require('./meter.js');
  const cpu = process.cpuUsage();
  const since = performance.now();
  const eventLoop = threadTime();
  require(who === 'ours' ? '../../..' : './baseline.js');
  const took = threadTime() - eventLoop;
  // CPU time does not include waiting for the disk; this does.
  const elapsed = (performance.now() - since) * 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { eventLoop: took, cpu: user + system, elapsed };
});
