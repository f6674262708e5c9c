'use strict';

const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

/** @type {{ body: Buffer, headers: Record<string, string> } | undefined} */
let made;

/** The page, which has no data in it, and the headers that keep everything else out of it. */
function page() {
  made ??= make(readFileSync(join(__dirname, 'page.html')));
  return made;
}

/** @param {Buffer} body */
function make(body) {
  const html = body.toString();
  const policy = [
    "default-src 'none'",
    `script-src ${hash(html, 'script')}`,
    `style-src ${hash(html, 'style')}`,
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
  return { body, headers };
}

/**
 * How a policy names the one element of this kind.
 * @param {string} html
 * @param {string} tag
 */
function hash(html, tag) {
  const text = html.slice(html.indexOf(`<${tag}>`) + tag.length + 2, html.indexOf(`</${tag}>`));
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

module.exports = { page };
