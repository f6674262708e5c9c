'use strict';

// What each error code of a connection or an answer means, and what to do about it.

/**
 * `words`: what happened; `advice`: cause and remedy, where {host} is the host and port. The engine's codes are those of
 * Node, and HTTP_404 and the like for the status of an answer that is not ours.
 * @type {Record<string, { words: string, advice: string }>}
 */
const CAUSES = {
  ECONNREFUSED: {
    words: 'connection refused',
    advice: 'Nothing listens on {host}. Start the program there, or correct the port in its SHAZBOT_BASE_URL',
  },
  ECONNRESET: {
    words: 'the server closed the connection without a complete answer',
    advice: 'The program at {host} crashed while it answered, or does not speak HTTP/1.1 there. Read its log',
  },
  ENOTFOUND: {
    words: 'the host name does not resolve',
    advice: 'Correct the host in the SHAZBOT_BASE_URL of {host}, or its record in DNS',
  },
  EAI_AGAIN: {
    words: 'the DNS server does not answer',
    advice: 'Check the DNS server of this machine (/etc/resolv.conf)',
  },
  EHOSTUNREACH: {
    words: 'no route to the host',
    advice: 'The host of {host} is down, or routes and security groups do not lead there',
  },
  ENETUNREACH: {
    words: 'no route to the network',
    advice: 'This machine has no route to {host}. For an IPv6 address: has it IPv6?',
  },
  ETIMEDOUT: {
    words: 'no connection',
    advice:
      'The host of {host} is down, or a firewall drops the packets. Check it, the firewall and the security group',
  },
  SHAZBOT_NO_ANSWER: {
    words: 'connected, but no answer',
    advice:
      'The process at {host} is stopped (SIGSTOP, a debugger) or its event loop is blocked. Look at its state and its CPU time, then restart it',
  },
  CERT_HAS_EXPIRED: {
    words: 'the certificate has expired',
    advice: 'Renew the certificate of {host}, and restart the program or have it load the new one',
  },
  CERT_NOT_YET_VALID: {
    words: 'the certificate is not valid yet',
    advice: 'Compare the clock of this machine with the dates of the certificate of {host}',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: {
    words: 'the certificate is self-signed',
    advice: 'Trust the certificate of {host} on all servers with NODE_EXTRA_CA_CERTS, or have an authority sign it',
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    words: 'the certificate is signed by an unknown authority',
    advice:
      'Name the authority in NODE_EXTRA_CA_CERTS on all servers. Has {host} sent its intermediate certificates, too?',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    words: 'the certificate is for another host name',
    advice: 'Give the certificate of {host} that name or address as subjectAltName',
  },
  EPROTO: {
    words: 'the TLS handshake failed',
    advice: 'Does {host} speak http? Then its SHAZBOT_BASE_URL must begin with http:',
  },
  HTTP_401: {
    words: 'a guard or middleware of the program demands a login',
    advice: 'Exempt the paths below /clustershazbot from the authentication of the program at {host}',
  },
  HTTP_403: {
    words: 'a guard or middleware of the program refuses the request',
    advice: 'Exempt the paths below /clustershazbot from guards, CSRF protection and IP filters at {host}',
  },
  HTTP_404: {
    words: 'the routes are not there',
    advice:
      'If the program at {host} has a global prefix such as /api, append it to its SHAZBOT_BASE_URL; otherwise mount the routes at /clustershazbot',
  },
  HTTP_421: {
    words: 'the server has another base URL or another cluster name',
    advice: 'Give all servers the same SHAZBOT_CLUSTER. Does the URL lead to a load balancer at {host}?',
  },
  HTTP_429: {
    words: 'a rate limit of the program refuses the request',
    advice: 'Exempt the paths below /clustershazbot from the rate limit (ThrottlerGuard, express-rate-limit) at {host}',
  },
  HTTP_503: {
    words: 'the program answers, but is not ready',
    advice: 'shazbotStart was not called or failed at {host}, or a proxy in front of it finds no program. Read its log',
  },
  SHAZBOT_UNAUTHORIZED: {
    words: 'the secret is refused',
    advice:
      'SHAZBOT_SECRET differs at {host}, or the SHAZBOT_AUTH of both do not fit: `signed` refuses what `plain` sends',
  },
  SHAZBOT_WRONG_CLUSTER: {
    words: 'it belongs to another cluster',
    advice: 'Give all servers the same SHAZBOT_CLUSTER, or take {host} out of the master list',
  },
  SHAZBOT_NOT_STARTED: {
    words: 'the engine is not started',
    advice: 'The program at {host} runs, but shazbotStart was not called or was rejected. Its log has the reason',
  },
  REDIRECT: {
    words: 'it redirects, which gossip does not follow',
    advice: 'Set its SHAZBOT_BASE_URL to where {host} redirects to, or exempt /clustershazbot from the redirect',
  },
  NOT_OURS: {
    words: 'another program or a web page answers',
    advice: 'Correct the host, port and path of the SHAZBOT_BASE_URL that leads to {host}',
  },
};

/** Other codes with the same meaning. @type {Record<string, string>} */
const SAME = {
  EAI_NONAME: 'ENOTFOUND',
  SELF_SIGNED_CERT_IN_CHAIN: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  UNABLE_TO_GET_ISSUER_CERT: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  HTTP_301: 'REDIRECT',
  HTTP_302: 'REDIRECT',
  HTTP_303: 'REDIRECT',
  HTTP_307: 'REDIRECT',
  HTTP_308: 'REDIRECT',
  HTTP_200: 'NOT_OURS',
  HTTP_502: 'HTTP_503',
  HTTP_504: 'HTTP_503',
};

/** @param {string} code */
const causeOf = (code) => CAUSES[SAME[code] ?? code];

/**
 * What happened, with the code for those who search for it.
 * @param {string} code
 * @param {string} [message] if the code is unknown
 */
function wordsFor(code, message = code) {
  const words = causeOf(code)?.words;
  return words ? `${words} (${code})` : message;
}

/**
 * @param {string} code
 * @param {string | URL} url of the server
 * @returns {string} a sentence, or '' if the code is unknown
 */
function adviceFor(code, url) {
  const advice = causeOf(code)?.advice;
  return advice ? `${advice.replaceAll('{host}', hostOf(url))}.` : '';
}

/** @param {string | URL} url */
function hostOf(url) {
  if (!URL.canParse(String(url))) return String(url);
  const { protocol, hostname, port } = new URL(url);
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}

/** Whether a failure with this code means that the process or its host is down, so that nothing keeps it apart. */
const DOWN = new Set(['ECONNREFUSED', 'ETIMEDOUT', 'SHAZBOT_NO_ANSWER', 'EHOSTUNREACH', 'ENOTFOUND', 'ECONNRESET']);

/** @param {string} code */
const isDown = (code) => DOWN.has(code);

module.exports = { adviceFor, hostOf, isDown, wordsFor };
