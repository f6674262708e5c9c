'use strict';

// Gives the warnings that JavaScript finds to the engine, which tells each once and shows them in the status.

/**
 * Holds the engine weakly, like heartbeat.js, and must not import `engine.js` for the same reason.
 * @param {import('./native').Engine} engine that is started
 */
function warningsOf(engine) {
  const weak = new WeakRef(engine);
  return {
    /**
     * Warns, unless the same warning holds already.
     * @param {string} code
     * @param {string} text
     * @param {string} [subject] where there is one warning for each subject
     */
    warn(code, text, subject) {
      weak.deref()?.warn(code, text, subject);
    },
    /**
     * The cause of a warning is gone.
     * @param {string} code
     * @param {string} [subject]
     */
    end(code, subject) {
      weak.deref()?.endWarning(code, subject);
    },
  };
}

module.exports = { warningsOf };
