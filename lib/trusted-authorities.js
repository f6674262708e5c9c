'use strict';

// Finds the certificate authorities that Node trusts where an option or a call has replaced its built-in ones.

const { readFileSync, readdirSync, realpathSync } = require('node:fs');
const path = require('node:path');

/** OpenSSL's folders: of Node's own build and of most distributions, of Red Hat's, of Debian's. */
const FOLDERS = ['/etc/ssl', '/etc/pki/tls', '/usr/lib/ssl'];
/** The names by which OpenSSL finds a certificate in a folder: a hash and a number. */
const HASHED = /^[0-9a-f]{8}\.\d+$/;

/**
 * Certificates in PEM. Undefined where Node trusts its built-in ones, which the engine has too. The engine adds those in
 * NODE_EXTRA_CA_CERTS.
 * @param {NodeJS.ProcessEnv} environment
 * @returns {string | undefined}
 */
function trustedAuthorities(environment) {
  const options = new Set([...process.execArgv, ...(environment.NODE_OPTIONS ?? '').split(/\s+/)]);
  if (options.has('--use-openssl-ca')) return openSslAuthorities(environment);
  const isSystem = options.has('--use-system-ca') || environment.NODE_USE_SYSTEM_CA === '1';
  // It takes some ms to load node:tls, and only a program that has done so can have replaced the certificates.
  const isLoaded = /** @type {any} */ (process).moduleLoadList?.includes('NativeModule tls');
  if (!isSystem && !isLoaded) return undefined;
  // Not in @types/node for Node 20, which has neither function.
  const tls = /** @type {any} */ (require('node:tls'));
  if (typeof tls.getCACertificates !== 'function' || !(isSystem || tls.setDefaultCACertificates)) return undefined;
  /** @type {string[]} */
  const trusted = tls.getCACertificates('default');
  // `setDefaultCACertificates` makes new texts, also of the built-in certificates.
  if (!isSystem && trusted[0] === tls.rootCertificates[0]) return undefined;
  return [...new Set(trusted)].join('\n');
}

/**
 * What OpenSSL reads: a file and a folder, each given by a variable or its own.
 * @param {NodeJS.ProcessEnv} environment
 */
function openSslAuthorities({ SSL_CERT_FILE, SSL_CERT_DIR }) {
  const files = SSL_CERT_FILE ? [SSL_CERT_FILE] : FOLDERS.map((folder) => path.join(folder, 'cert.pem'));
  const folders = SSL_CERT_DIR
    ? SSL_CERT_DIR.split(path.delimiter)
    : FOLDERS.map((folder) => path.join(folder, 'certs'));
  const inFolders = folders.flatMap(certificatesIn);
  return [...new Set([...files, ...inFolders])].map(textOf).join('\n');
}

/** @param {string} folder */
function certificatesIn(folder) {
  try {
    // One of ours may be a link to another.
    const real = realpathSync(folder);
    const names = readdirSync(real).filter((name) => HASHED.test(name));
    return names.map((name) => path.join(real, name));
  } catch {
    return [];
  }
}

/** @param {string} file */
function textOf(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

module.exports = { trustedAuthorities };
