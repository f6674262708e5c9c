'use strict';

// Tests of a Nest application that replace the service of the module, so that no cluster is needed.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { compileNest } = require('./support/nest.js');
const { runToEnd } = require('./support/programs.js');

test('the health indicator asks the service with which a test replaces ShazbotService, or a fake cluster', async () => {
  const { code, stdout, stderr } = await runToEnd([compileNest('nest-override')]);
  assert.equal(code, 0, stderr);
  const message = 'Servers online: 1, required: at least 2';
  const results = stdout.split('\n').filter((line) => line.startsWith('[{'));
  const expected = [
    { status: 'up', online: 2 },
    { status: 'down', online: 1, message },
  ];
  assert.deepEqual(
    results.map((line) => JSON.parse(line)),
    [expected, expected, expected],
  );
});
