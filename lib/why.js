'use strict';

// Says in words why a server is offline, suspected or failing: for the command line, the page and the documents of errors.
// The page contains this file too (lib/page.js), so it uses nothing but the language.

/** Causes by the code of the last failed exchange. Those that are not here are told in the words of the engine. */
const CAUSES = /** @type {Record<string, string>} */ ({
  ECONNREFUSED: 'connection refused',
  ETIMEDOUT: 'no connection: host or firewall',
  ECONNRESET: 'connection reset before an answer came',
  EHOSTUNREACH: 'no route to its host',
  ENETUNREACH: 'no route to its network',
  ENOTFOUND: 'its name is not found in DNS',
  EAI_AGAIN: 'its name cannot be looked up: DNS does not answer',
  EACCES: 'its name leads to an address that must not be contacted',
  CERT_HAS_EXPIRED: 'certificate expired',
  CERT_NOT_YET_VALID: 'certificate not valid yet',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate not trusted: unknown issuer',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate not trusted: self-signed',
  ERR_TLS_CERT_ALTNAME_INVALID: 'certificate for another name',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it demands a client certificate',
  EPROTO: 'TLS handshake failed',
  SHAZBOT_HTTP2_ONLY: 'it speaks HTTP/2 only',
  SHAZBOT_UNAUTHORIZED: 'it rejects our SHAZBOT_SECRET',
  SHAZBOT_WRONG_CLUSTER: 'it belongs to another cluster',
  SHAZBOT_MISDIRECTED: 'a server with another base URL answers there',
  SHAZBOT_NOT_STARTED: 'its program runs, but has not started clustershazbot',
  SHAZBOT_DUPLICATE_BASE_URL: 'several processes answer at its base URL',
  HTTP_401: 'HTTP 401: something in front of the gossip route wants a login',
  HTTP_403: 'HTTP 403: something in front of the gossip route forbids it',
  HTTP_404: 'HTTP 404: no gossip route at its base URL',
  HTTP_421: 'HTTP 421: what answers there is for another host',
  HTTP_429: 'HTTP 429: a rate limit in front of the gossip route',
});

/**
 * Why a server is offline, suspected, or failing though others reach it. Empty for a server that is online and answers.
 * @param {{ state: string, reason?: string | undefined, by?: string | undefined, lastError?: { code: string, message: string } | undefined }} member
 * @param {string} [ownUrl] base URL of the server that says so
 * @returns {string} may contain text of a peer: make it printable
 */
function why({ state, reason, by, lastError }, ownUrl) {
  if (state === 'offline' && reason === 'left') return 'it was shut down';
  if (state === 'offline' && reason === 'drained') return 'it was drained';
  const cause = lastError ? causeOf(lastError) : '';
  if (state === 'online') return cause;
  if (state === 'suspect') return cause || 'it does not answer';
  if (!by) return cause || (reason === 'failed' ? 'it does not answer' : 'unknown reason');
  return by === ownUrl ? cause || 'it does not answer' : `${cause ? `${cause}; ` : ''}reported by ${by}`;
}

/**
 * Why an exchange failed.
 * @param {{ code: string, message: string }} error
 * @returns {string} may contain text of a peer
 */
function causeOf({ code, message }) {
  // A proxy may be the cause: the words of the engine name it.
  const isOfProxy = message.startsWith('through the proxy ');
  if (code === 'SHAZBOT_NO_ANSWER') return `stopped or blocked: ${message}`;
  if (Object.hasOwn(CAUSES, code) && !isOfProxy) return /** @type {string} */ (CAUSES[code]);
  if (/^HTTP_3/.test(code)) return `HTTP ${code.slice(5)}: a redirect in front of the gossip route`;
  if (/^HTTP_50[234]$/.test(code) && !isOfProxy) return `HTTP ${code.slice(5)}: a proxy answers, its program does not`;
  return message;
}

module.exports = { causeOf, why };
