'use strict';

// Bounds the memory that request bodies hold while they arrive: the uploads that began first are given up for new ones.

/**
 * @typedef {object} Upload
 * @property {number} cost bytes that it is charged with
 * @property {boolean} isComplete its body has arrived, and is not given up any more
 * @property {() => void} giveUp ends it, and frees its memory
 */

/** What Node holds for a request that is being read, in bytes: the socket, the parser and the streams. */
const BASE_COST = 32 << 10;

class Uploads {
  #limit;
  #held = 0;
  /** In the order in which they began. @type {Set<Upload>} */
  #uploads = new Set();

  /** @param {number} limit of all uploads together, in bytes */
  constructor(limit) {
    this.#limit = limit;
  }

  /**
   * Call `charge` afterwards, also for an upload that holds nothing yet.
   * @param {() => void} giveUp
   * @returns {Upload}
   */
  begin(giveUp) {
    const upload = { cost: 0, isComplete: false, giveUp };
    this.#uploads.add(upload);
    return upload;
  }

  /**
   * Makes room by giving up the uploads that began first: a server of the cluster sends its body within milliseconds, so these
   * are the slow ones. If uploads were refused instead, a few slow ones could keep all other servers out.
   * @param {Upload} upload
   * @param {number} bytes that it holds now
   */
  charge(upload, bytes) {
    this.#held += BASE_COST + bytes - upload.cost;
    upload.cost = BASE_COST + bytes;
    for (const other of this.#uploads) {
      if (this.#held <= this.#limit) return;
      if (!other.isComplete) this.#giveUp(other);
    }
  }

  /** @param {Upload} upload */
  end(upload) {
    if (this.#uploads.delete(upload)) this.#held -= upload.cost;
  }

  /** @param {Upload} upload */
  #giveUp(upload) {
    this.end(upload);
    upload.giveUp();
  }
}

module.exports = { Uploads };
