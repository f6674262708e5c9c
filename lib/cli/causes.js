'use strict';

// What to do about each error code of a connection or an answer.

const { causeOf } = require('../why.js');

/**
 * Cause and remedy by code; {host} is the host and port. The codes are those of Node, of this package, and HTTP_404 and the
 * like for an answer that is not ours. What happened is in the words of `why.js`.
 * @type {Record<string, string>}
 */
const ADVICE = {
  ECONNREFUSED: 'Nothing listens on {host}. Start the program there, or correct the port in its SHAZBOT_BASE_URL',
  ECONNRESET: 'The program at {host} crashed while it answered, or does not speak HTTP/1.1 there. Read its log',
  ENOTFOUND: 'Correct the host in the SHAZBOT_BASE_URL that leads to {host}, or its record in DNS',
  EAI_AGAIN: 'Check the DNS server of this machine (/etc/resolv.conf)',
  EACCES: 'Correct the record of {host} in DNS, or allow its address with SHAZBOT_ALLOWED_ORIGINS',
  EHOSTUNREACH: 'The host of {host} is down, or routes and security groups do not lead there',
  ENETUNREACH: 'There is no route to {host}. If it has an IPv6 address: is IPv6 set up here?',
  ETIMEDOUT:
    'The host of {host} is down, or a firewall drops the packets. Check it, the firewall and the security group',
  SHAZBOT_NO_ANSWER:
    'The process at {host} is stopped (SIGSTOP, a debugger) or its event loop is blocked. Look at its state and its CPU time, then restart it',
  CERT_HAS_EXPIRED: 'Renew the certificate of {host}, and restart the program or have it load the new one',
  CERT_NOT_YET_VALID: 'Compare the clocks with the dates of the certificate of {host}',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'Copy the certificate of {host} into the file in NODE_EXTRA_CA_CERTS on all servers, and restart them',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'Add the certificate of its issuer to the file in NODE_EXTRA_CA_CERTS on all servers, and restart them. If the issuer is in there, append the intermediate certificates to the certificate file of {host}',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'Give {host} a certificate with the host of its SHAZBOT_BASE_URL as a subjectAltName, or change that host to a name that the certificate has',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'Set SHAZBOT_TLS_CERT and SHAZBOT_TLS_KEY on all servers to a certificate that {host} trusts: see docs/production.md, Client certificates',
  EPROTO: 'Does {host} speak http? Then its SHAZBOT_BASE_URL must begin with http:',
  HPE_INVALID_CONSTANT: 'Another protocol is spoken at {host}, perhaps https. Correct the SHAZBOT_BASE_URL',
  HTTP_401: 'Exempt the paths below /clustershazbot from the authentication of the program at {host}',
  HTTP_403: 'Exempt the paths below /clustershazbot from guards, CSRF protection and IP filters at {host}',
  HTTP_404:
    'If the program at {host} has a global prefix such as /api, append it to its SHAZBOT_BASE_URL; otherwise mount the routes at /clustershazbot',
  HTTP_413: 'Raise the body limit of the parser or proxy at {host} for the paths below /clustershazbot',
  HTTP_421: 'A load balancer or a proxy leads the URL to another host than {host}: give each process its own base URL',
  HTTP_429: 'Exempt the paths below /clustershazbot from the rate limit (ThrottlerGuard, express-rate-limit) at {host}',
  HTTP_503: 'A proxy at {host} finds no program behind it. Start the program, or correct the proxy',
  REDIRECT:
    'Gossip does not follow redirects. Set the SHAZBOT_BASE_URL to where {host} redirects to, or exempt /clustershazbot from it',
  NOT_OURS:
    'Another program or a web page answers at {host}. Correct the host, port and path of the SHAZBOT_BASE_URL that leads there',
  SHAZBOT_HTTP2_ONLY: 'Let {host} accept HTTP/1.1, too',
  SHAZBOT_MISDIRECTED:
    'The SHAZBOT_BASE_URL of the program at {host} is another one, or a load balancer is in between: give each process its own base URL',
  SHAZBOT_NOT_STARTED:
    'The program at {host} runs, but shazbotStart was not called or was rejected. Its log has the reason',
  SHAZBOT_UNAUTHORIZED:
    'SHAZBOT_SECRET differs at {host}, or the SHAZBOT_AUTH of both do not fit: `signed` refuses what `plain` sends',
  SHAZBOT_WRONG_CLUSTER: 'Give all servers the same SHAZBOT_CLUSTER, or take {host} out of the master list',
};

/** Other codes with the same remedy. @type {Record<string, string>} */
const SAME = {
  SELF_SIGNED_CERT_IN_CHAIN: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  UNABLE_TO_GET_ISSUER_CERT: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  SHAZBOT_DUPLICATE_BASE_URL: 'SHAZBOT_MISDIRECTED',
  SHAZBOT_ANOTHER_SERVER: 'SHAZBOT_MISDIRECTED',
  SHAZBOT_INVALID_ANSWER: 'NOT_OURS',
  HTTP_200: 'NOT_OURS',
  HTTP_301: 'REDIRECT',
  HTTP_302: 'REDIRECT',
  HTTP_303: 'REDIRECT',
  HTTP_307: 'REDIRECT',
  HTTP_308: 'REDIRECT',
  HTTP_502: 'HTTP_503',
  HTTP_504: 'HTTP_503',
};

/**
 * What happened, with the code for those who search for it.
 * @param {string} code
 * @param {string} message of the error
 */
function wordsFor(code, message) {
  const words = causeOf({ code, message });
  return words.startsWith('HTTP ') || words.includes(code) ? words : `${words} (${code})`;
}

/**
 * @param {string} code
 * @param {string | URL} url of the server
 * @returns {string} cause and remedy in one or two sentences, or '' if the code is unknown
 */
function adviceFor(code, url) {
  const advice = ADVICE[SAME[code] ?? code];
  return advice ? `${advice.replaceAll('{host}', hostOf(url))}.` : '';
}

/** @param {string | URL} url */
function hostOf(url) {
  const { protocol, hostname, port } = new URL(url);
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}

const DOWN = new Set(['ECONNREFUSED', 'ETIMEDOUT', 'SHAZBOT_NO_ANSWER', 'EHOSTUNREACH', 'ENOTFOUND', 'ECONNRESET']);

/** Whether the process or its host is down, so that nothing keeps it apart. @param {string} code */
const isDown = (code) => DOWN.has(code);

/** Whether TLS failed, which the engine and Node judge differently. @param {string} code */
const isOfTls = (code) => /CERT|SIGNATURE|^EPROTO$/.test(code);

module.exports = { adviceFor, isDown, isOfTls, wordsFor };
