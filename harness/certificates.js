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
 * @param {string} [constraints] of the authority: whether it may sign other certificates
 */
function certificates(host = 'IP:127.0.0.1', name = 'test', constraints = 'CA:true') {
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
    '-addext',
    `basicConstraints=${constraints}`,
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

/**
 * A certificate that a server has signed itself, as `openssl req -x509` makes it: one of an authority.
 *
 * @param {object} options
 * @param {string} [options.host] its subjectAltName. None, if it is missing
 * @param {string} [options.name] its common name
 * @param {number} [options.version] of X.509
 * @param {[number, number]} [options.validity] from when to when, in s from now
 */
function selfSigned({ host, name = 'peer', version = 3, validity }) {
  const directory = folder();
  /** @param {string} name */
  const at = (name) => path.join(directory, name);
  /** @param {string[]} args */
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe', cwd: directory });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem'];
  const subject = ['-subj', `/CN=${name}`];
  const names = host ? [`subjectAltName=${host}`] : [];
  if (validity) {
    const [from, to] = validity.map((seconds) => {
      const digits = new Date(Date.now() + 1_000 * seconds).toISOString().replace(/\..*|[-:T]/g, '');
      return `${digits}Z`;
    });
    const settings = ['database=index', 'new_certs_dir=.', 'rand_serial=yes', 'default_md=sha256', 'policy=policy'];
    const sections = ['[ca]', 'default_ca=all', '[all]', ...settings, '[policy]', 'commonName=supplied'];
    writeFileSync(at('config'), [...sections, '[extensions]', 'basicConstraints=CA:true', ...names, ''].join('\n'));
    writeFileSync(at('index'), '');
    openssl('req', ...newKey, ...subject, '-out', 'request');
    const dates = ['-startdate', String(from), '-enddate', String(to)];
    const files = ['-in', 'request', '-keyfile', 'key.pem', '-out', 'cert.pem'];
    openssl(
      'ca',
      '-selfsign',
      '-batch',
      '-notext',
      '-config',
      'config',
      '-extensions',
      'extensions',
      ...dates,
      ...files,
    );
  } else if (version === 1) {
    openssl('req', ...newKey, ...subject, '-out', 'request');
    openssl('x509', '-req', '-in', 'request', '-signkey', 'key.pem', '-days', '2', '-out', 'cert.pem');
  } else {
    openssl('req', '-x509', ...newKey, ...subject, ...names.flatMap((it) => ['-addext', it]), '-out', 'cert.pem');
  }
  return { directory, file: at('cert.pem'), key: readFileSync(at('key.pem')), cert: readFileSync(at('cert.pem')) };
}

module.exports = { certificates, missing, selfSigned };
