'use strict';

// Calls the program's `discover` function for the engine, and reports its failures.

// Imported, because tests may fake the global timers.
const { clearTimeout, setTimeout } = require('node:timers');
const { causes } = require('./logging.js');
const { isHttpUrl } = require('./urls.js');

/** How long a call may take until it counts as failed. */
const TIMEOUT_MS = 10_000;
/** How many calls may be under way that have taken longer: each may hold a connection. */
const MAX_LATE = 2;
/** Stands in SHAZBOT_MASTER_LIST for the function. The engine then asks `lookUp` for it as for a name in DNS. */
const DISCOVER = 'discover()';
const FAILED = 'SHAZBOT_DISCOVER_FAILED';

/** @typedef {NonNullable<import('../index.js').ShazbotStartOptions['discover']>} Discover */
/** @typedef {ReturnType<typeof import('./warnings.js').warningsOf>} Warnings */

class Discovery {
  /** The call that is under way and in time. @type {Promise<readonly string[]> | undefined} */
  #answer;
  /** Calls that are under way and late. Their answers are not used. */
  #late = 0;

  /**
   * @param {Discover} discover
   * @param {Warnings} warnings
   */
  constructor(discover, warnings) {
    this.discover = discover;
    this.warnings = warnings;
  }

  /**
   * The URLs that the function returns. Rejects if it fails.
   * @returns {Promise<string[]>}
   */
  async find() {
    try {
      const { urls, problem } = readUrls(await this.#call());
      if (problem) this.#fail(problem);
      else this.warnings.end(FAILED);
      return urls;
    } catch (error) {
      this.#fail(messageOf(error), error);
      throw error;
    }
  }

  #call() {
    this.#answer ??= this.#begin().finally(() => {
      this.#answer = undefined;
    });
    return this.#answer;
  }

  /** @returns {Promise<readonly string[]>} */
  async #begin() {
    if (this.#late === MAX_LATE) throw new Error(`${MAX_LATE} calls have not ended, and the next one waits for that`);
    const controller = new AbortController();
    const call = (async () => this.discover({ signal: controller.signal }))();
    return within(TIMEOUT_MS, call, (error) => {
      this.#late += 1;
      call
        .catch(() => {})
        .finally(() => {
          this.#late -= 1;
        });
      controller.abort(error);
    });
  }

  /**
   * Warns of a failure, which holds until a call succeeds.
   * @param {string} why
   * @param {unknown} [cause]
   */
  #fail(why, cause) {
    const text = `the program's function discover failed: ${why}. It is called again; the servers that are known stay known`;
    causes.set(FAILED, cause);
    this.warnings.warn(FAILED, text);
  }
}

/**
 * @param {unknown} answer of `discover`
 * @returns {{ urls: string[], problem?: string }}
 */
function readUrls(answer) {
  if (!Array.isArray(answer)) return { urls: [], problem: 'it returned no array of URLs' };
  const wrong = answer.find((it) => !isHttpUrl(it));
  const urls = [...new Set(answer.filter(isHttpUrl))];
  if (urls.length === new Set(answer).size) return { urls };
  return { urls, problem: `it returned ${JSON.stringify(wrong)?.slice(0, 100)}, not an http or https URL` };
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @param {(error: Error) => void} giveUp called if the promise takes longer
 * @returns {Promise<T>}
 */
function within(ms, promise, giveUp) {
  /** @type {NodeJS.Timeout} */
  let timer;
  const timeout = new Promise((_, reject) => {
    const end = () => {
      const error = new Error(`it has not answered for ${ms / 1000} s`);
      giveUp(error);
      reject(error);
    };
    timer = setTimeout(end, ms).unref();
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (timeout)]).finally(() => clearTimeout(timer));
}

module.exports = { DISCOVER, Discovery, messageOf };
