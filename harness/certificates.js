'use strict';

// Makes certificates for servers of tests and benchmarks.

const { execFileSync, spawnSync } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const { folder } = require('./folder.js');

/** Why tests that need certificates cannot run here, if they cannot. */
const missing =
  process.env.SHAZBOT_TEST_ALL !== '1' && spawnSync('openssl', ['version']).status !== 0 ? 'openssl is missing' : false;

/**
 * An authority of the test's own, and a certificate that it has signed.
 *
 * @param {string} [host] whose it is
 * @param {string} [name] of the authority
 */
function certificates(host = 'IP:127.0.0.1', name = 'test') {
  const directory = folder();
  /** @param {string} file */
  const at = (file) => path.join(directory, file);
  /** @param {string[]} args */
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  writeFileSync(at('extensions'), `subjectAltName=${host}\nbasicConstraints=CA:false\n`);
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  );
  openssl('req', ...newKey, '-keyout', at('key.pem'), '-out', at('request'), '-subj', '/CN=peer');
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('extensions')];
  const sign = (/** @type {string} */ days) =>
    openssl('x509', '-req', '-in', at('request'), ...signed, '-out', at('cert.pem'), '-days', days);
  sign('2');
  return {
    directory,
    authority: at('ca.pem'),
    key: readFileSync(at('key.pem')),
    cert: readFileSync(at('cert.pem')),
    /** Replaces the certificate in the folder by one that has expired a second later. */
    expire: () => sign('0'),
  };
}

module.exports = { certificates, missing };
