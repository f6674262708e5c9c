'use strict';

/** @type {(() => unknown)[]} */
const cleanups = [];
/** Undoes things when a script is over, the last first. */
const scope = { after: (/** @type {() => unknown} */ cleanup) => void cleanups.unshift(cleanup) };

/** All that can be done at once: processes get their signal, files go. */
function cleanUp() {
  for (const cleanup of cleanups) cleanup();
}

async function close() {
  for (const cleanup of cleanups.splice(0)) await cleanup();
}

/** Cleans up however this process ends: a server that is stopped would not notice that it has. */
function cleanUpAtExit() {
  process.on('exit', cleanUp);
  for (const [signal, code] of /** @type {const} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])) {
    process.on(signal, () => process.exit(code));
  }
}

module.exports = { cleanUpAtExit, close, scope };
