'use strict';

// Calls the program's `discover` function, and hands the URLs that it returns to the engine: as a master list in a file that
// only this process uses.

const { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { URL, pathToFileURL } = require('node:url');
// Imported, because tests may fake the global timers.
const { clearTimeout, setTimeout } = require('node:timers');
const { shazbotError } = require('./errors.js');

/** How long a call may take until it counts as failed. */
const TIMEOUT_MS = 10_000;
/** How long the start waits for the first call. */
const START_TIMEOUT_MS = 5_000;
/** How long after a call the next one follows, if this server knows no other, and else. */
const ALONE_INTERVAL_MS = 5_000;
const INTERVAL_MS = 60_000;

/** @typedef {(code: string, text: string, isWarning: boolean) => void} Report */
/** @typedef {{ baseUrl: string, monitor: boolean, lastUpdate: number }} Entry */

class Discovery {
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #isFailing = false;
  /** What happened before there was a `report`. @type {string[]} */
  #early = [];
  /** @type {Report | undefined} */
  #report;
  #lastCall = 0;
  /** The call that is under way. @type {Promise<void> | undefined} */
  #calling;

  /** @param {NonNullable<import('../index.js').ShazbotStartOptions['discover']>} discover */
  constructor(discover) {
    this.discover = discover;
    try {
      this.folder = mkdtempSync(path.join(os.tmpdir(), 'clustershazbot-discover-'));
    } catch (error) {
      const why = /** @type {Error} */ (error).message;
      const message = `discover needs a folder for what it finds: ${why}. Set TMPDIR to a folder that can be written`;
      throw shazbotError({ code: 'SHAZBOT_INVALID_CONFIG', status: 500, message });
    }
    this.file = path.join(this.folder, 'discovered.json');
    this.#write([]);
  }

  /**
   * The variables that add the file to the master lists.
   * @param {NodeJS.ProcessEnv} environment
   * @returns {NodeJS.ProcessEnv}
   */
  variables({ SHAZBOT_MASTER_LIST: lists, SHAZBOT_MASTER_LIST_UPDATE: updates }) {
    const { href } = pathToFileURL(this.file);
    return {
      SHAZBOT_MASTER_LIST: lists ? `${lists} ${href}` : href,
      // Without this variable a file is written where it is read.
      ...(updates && { SHAZBOT_MASTER_LIST_UPDATE: `${updates} ${href}` }),
    };
  }

  /** The first call. Resolves when it has ended, or after a while. */
  async begin() {
    await within(START_TIMEOUT_MS, this.#call()).catch(() => {});
  }

  /**
   * Goes on calling, until the end.
   * @param {Report} report
   * @param {() => boolean | undefined} isAlone whether this server knows no other; undefined if its engine is gone
   */
  watch(report, isAlone) {
    this.#report = report;
    for (const text of this.#early.splice(0)) this.#fail(text);
    const tick = () => {
      const alone = isAlone();
      if (alone === undefined) return this.end();
      if (alone || Date.now() - this.#lastCall >= INTERVAL_MS) this.#call();
      this.#timer = setTimeout(tick, ALONE_INTERVAL_MS).unref();
    };
    this.#timer = setTimeout(tick, ALONE_INTERVAL_MS).unref();
  }

  end() {
    clearTimeout(this.#timer);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #call() {
    this.#lastCall = Date.now();
    // One that never answers is not called again.
    this.#calling ??= this.#discover().finally(() => {
      this.#calling = undefined;
    });
    return this.#calling;
  }

  async #discover() {
    try {
      const answer = (async () => this.discover())();
      within(TIMEOUT_MS, answer).catch((error) => this.#fail(error.message));
      const { urls, problem } = readUrls(await answer);
      this.#add(urls);
      if (problem) this.#fail(problem);
      else this.#isFailing = false;
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * Reports a failure once, until a call succeeds.
   * @param {string} why
   */
  #fail(why) {
    if (!this.#report) this.#early.push(why);
    else if (!this.#isFailing) {
      const text = `discover failed: ${why}. It is called again, and the servers that are known stay known`;
      this.#report('SHAZBOT_DISCOVER_FAILED', text, true);
    }
    this.#isFailing = this.#report !== undefined;
  }

  /**
   * Adds those that are missing in the file. The engine takes out those that do not answer.
   * @param {string[]} urls
   */
  #add(urls) {
    /** @type {Entry[]} */
    let listed = [];
    try {
      listed = JSON.parse(readFileSync(this.file, 'utf8')).online;
    } catch {
      // It was removed or damaged: it is written anew.
    }
    const known = new Set(listed.map(({ baseUrl }) => baseUrl));
    const added = urls.filter((url) => !known.has(url));
    const lastUpdate = Date.now();
    if (added.length > 0)
      this.#write([...listed, ...added.map((baseUrl) => ({ baseUrl, monitor: false, lastUpdate }))]);
  }

  /** @param {Entry[]} online */
  #write(online) {
    writeFileSync(`${this.file}.next`, JSON.stringify({ online }));
    renameSync(`${this.file}.next`, this.file);
  }
}

/**
 * @param {unknown} answer of `discover`
 * @returns {{ urls: string[], problem?: string }}
 */
function readUrls(answer) {
  if (!Array.isArray(answer)) return { urls: [], problem: 'it returned no array of URLs' };
  const urls = answer.map(normalised);
  const wrong = urls.indexOf('');
  return {
    urls: [...new Set(urls)].filter(Boolean),
    ...(wrong >= 0 && {
      problem: `it returned ${JSON.stringify(answer[wrong])?.slice(0, 100)}, not an http or https URL`,
    }),
  };
}

/** @param {unknown} text */
function normalised(text) {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) return '';
  return url.href.endsWith('/') ? url.href : `${url.href}/`;
}

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function within(ms, promise) {
  /** @type {NodeJS.Timeout} */
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it has not answered for ${ms / 1000} s`)), ms).unref();
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (timeout)]).finally(() => clearTimeout(timer));
}

module.exports = { Discovery };
