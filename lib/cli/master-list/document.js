'use strict';

// The master list as a document in a file: replaced as a whole, on the condition that nobody else has replaced it since.

const { createHash, randomBytes } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const EMPTY = Buffer.from('{"online":[]}');

class ListDocument {
  /** @param {string} file that exists, or will be created. Throws if it is not a list, or its folder cannot be written */
  constructor(file) {
    this.file = path.resolve(file);
    fs.accessSync(path.dirname(this.file), fs.constants.W_OK | fs.constants.X_OK);
    /** @type {Buffer} */
    this.content = fs.existsSync(this.file) ? fs.readFileSync(this.file) : EMPTY;
    if (this.content.length === 0) this.content = EMPTY;
    const problem = problemOf(this.content);
    if (problem) throw new Error(problem);
    this.tag = tagOf(this.content);
  }

  /**
   * Throws if the file cannot be written; then the document stays as it is.
   * @param {Buffer} content
   */
  replace(content) {
    const next = `${this.file}.${randomBytes(6).toString('hex')}.new`;
    try {
      // Renamed into place once it is on the disk, so that nobody ever reads a part of a list.
      writeToDisk(next, content);
      fs.renameSync(next, this.file);
    } catch (error) {
      fs.rmSync(next, { force: true });
      throw error;
    }
    this.content = content;
    this.tag = tagOf(content);
  }
}

/**
 * @param {string} file
 * @param {Buffer} content
 */
function writeToDisk(file, content) {
  const descriptor = fs.openSync(file, 'wx');
  try {
    for (let written = 0; written < content.length; ) written += fs.writeSync(descriptor, content, written);
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** @param {Buffer} content */
const tagOf = (content) => `"${createHash('sha256').update(content).digest('base64url')}"`;

/**
 * @param {Buffer} content
 * @returns {string | undefined} undefined if it is a list
 */
function problemOf(content) {
  const example = 'a list such as {"online":[{"baseUrl":"http://app-1:3000/"}]}';
  try {
    const { online } = JSON.parse(content.toString('utf8'));
    const isEntry = (/** @type {any} */ it) => typeof it?.baseUrl === 'string';
    return Array.isArray(online) && online.every(isEntry) ? undefined : `it is not ${example}`;
  } catch {
    return `it is not JSON. It must be ${example}`;
  }
}

module.exports = { ListDocument, problemOf };
