'use strict';

// Joins the parts in `page/` into the one document that is served, which loads nothing else. The published package has the
// result as `page.json` instead of the parts: bundlers take a JSON file along, but no file that is read at run time.

const { Buffer } = require('node:buffer');
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

/** @type {{ body: Buffer, headers: Record<string, string> } | undefined} */
let cached;

/** The page, without any data, and headers that allow nothing but its own scripts and style. */
function page() {
  cached ??= load();
  return cached;
}

function load() {
  const { html, policy } = built() ?? build();
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': policy,
    'Cache-Control': 'no-cache',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  };
  return { body: Buffer.from(html), headers };
}

/** @returns {ReturnType<typeof build> | undefined} undefined in a checkout */
function built() {
  try {
    // The type checker would look for a file that only the package has.
    return /** @type {any} */ (require)('./page.json');
  } catch {
    return undefined;
  }
}

/** @returns {{ html: string, policy: string }} the document, and its Content-Security-Policy */
function build() {
  /** @type {Record<'script' | 'style', string[]>} */
  const hashes = { script: [], style: [] };
  const inline = (/** @type {'script' | 'style'} */ tag) => (/** @type {string} */ _, /** @type {string} */ name) => {
    // `why.js` and `ownership.js` are also modules of Node.
    const text = read(name).replace(/\nmodule\.exports = .*/, '');
    hashes[tag].push(`'sha256-${createHash('sha256').update(text).digest('base64')}'`);
    return `<${tag}>${text}</${tag}>`;
  };
  const html = read('page.html')
    .replace(/<link rel="stylesheet" href="(.*?)">/g, inline('style'))
    .replace(/<script src="(.*?)"><\/script>/g, inline('script'));
  const policy = [
    "default-src 'none'",
    `script-src ${hashes.script.join(' ')}`,
    `style-src ${hashes.style.join(' ')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return { html, policy: policy.join('; ') };
}

/** @param {string} name */
const read = (name) => readFileSync(join(__dirname, 'page', name), 'utf8');

module.exports = { build, page };
