'use strict';

// Makes text from other servers safe to print.

/** Control characters, line breaks, and characters that are invisible or change the writing direction. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Replaces what a terminal would obey or not show.
 * @param {string} text
 */
const printable = (text) => String(text).replace(UNSAFE, '?');

/**
 * Escapes the same characters in JSON, apart from its own line breaks.
 * @param {string} json
 */
const printableJson = (json) => json.replace(UNSAFE, (it) => (it === '\n' ? it : escapeCodeUnits(it)));

/** @param {string} text */
function escapeCodeUnits(text) {
  const escapes = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i).toString(16).padStart(4, '0'));
  return escapes.map((digits) => `\\u${digits}`).join('');
}

module.exports = { printable, printableJson };
