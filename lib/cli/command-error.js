'use strict';

/** An error whose message is all that the user needs: it is printed without a stack. */
class CommandError extends Error {
  /**
   * @param {string} message
   * @param {number} [exitCode] 1: the command failed; 2: wrong usage
   * @param {'wrong secret' | 'no status' | 'no server' | 'no command'} [kind] for callers that handle it
   */
  constructor(message, exitCode = 1, kind = undefined) {
    super(message);
    this.exitCode = exitCode;
    this.kind = kind;
  }

  /** The code of the system's error, if there is one. @type {string | undefined} */
  code;
}

module.exports = { CommandError };
