'use strict';

// How long `require` takes in a program that has loaded nothing else.

const { answer } = require('./children.js');

answer((/** @type {{ who: 'ours' | 'baseline' }} */ { who }) => {
  const { threadTime } = require('./meter.js');
  const cpu = process.cpuUsage();
  const since = performance.now();
  const eventLoop = threadTime();
  require(who === 'ours' ? '../..' : './baseline.js');
  const took = threadTime() - eventLoop;
  // Waiting for the disk is no time on a core.
  const elapsed = (performance.now() - since) * 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { eventLoop: took, cpu: user + system, elapsed };
});
