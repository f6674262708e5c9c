'use strict';

// Ends the processes and removes the files of a benchmark, however the benchmark ends.

/** @type {(() => unknown)[]} */
const cleanups = [];
/** Takes the functions that clean up; the last one runs first. */
const scope = { after: (/** @type {() => unknown} */ cleanup) => void cleanups.unshift(cleanup) };

async function close() {
  for (const cleanup of cleanups.splice(0)) await cleanup();
}

/** Needed for servers stopped by SIGSTOP, which do not notice that their parent has ended. */
function cleanUpAtExit() {
  // What a cleanup does before its first await is enough: it signals a process or removes a file.
  process.on('exit', () => {
    for (const cleanup of cleanups) cleanup();
  });
  for (const [signal, code] of /** @type {const} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])) {
    process.on(signal, () => process.exit(code));
  }
}

module.exports = { cleanUpAtExit, close, scope };
