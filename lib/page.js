'use strict';

// Joins the parts in `page/` into the one document that is served, which loads nothing else.

const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

/** @type {{ body: Buffer, headers: Record<string, string> } | undefined} */
let cached;

/** The page, without any data, and headers that allow nothing but its own scripts and style. */
function page() {
  cached ??= build();
  return cached;
}

function build() {
  /** @type {Record<'script' | 'style', string[]>} */
  const hashes = { script: [], style: [] };
  const inline = (/** @type {'script' | 'style'} */ tag) => (/** @type {string} */ _, /** @type {string} */ name) => {
    const text = read(name);
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
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': policy.join('; '),
    'Cache-Control': 'no-cache',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  };
  return { body: Buffer.from(html), headers };
}

/** @param {string} name */
const read = (name) => readFileSync(join(__dirname, 'page', name), 'utf8');

module.exports = { page };
