'use strict';

// The programs in the documents run, and the documents agree with the package.

const assert = require('node:assert/strict');
const { execFile, execFileSync } = require('node:child_process');
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { after, describe, test } = require('node:test');
const { promisify } = require('node:util');
const { reference } = require('../scripts/api.js');
const { withLink } = require('../lib/errors.js');
const { Project, ROOT, blocks, program, read } = require('./support/documents.js');
const { request } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { SECRETS, runsTwice } = require('./support/twice.js');

/** All documents that somebody wrote or a script of ours writes. */
const DOCUMENTS = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name && name !== 'THIRD-PARTY-LICENSES.md' && existsSync(path.join(ROOT, name)));
/** Pages for users with code to copy. */
const GUIDES = DOCUMENTS.filter((name) => /^(README\.md|docs\/[\w-]+\.md)$/.test(name) && name !== 'docs/api.md');
/** Blocks that other tests run, in this file and in testing.test.js. */
const WHOLE_PROGRAMS = new Set(['app.mjs', 'express.mjs', 'servers.test.mjs']);
/** Pages that may be longer than others: references, of which nobody reads all, and the specification. */
const LONG = ['api.md', 'errors.md', 'protocol.md', 'contributors/convergence.md', 'contributors/performance.md'];

/** Imported before a fragment: a cluster of three, of which the own server answers every request. It ends after 300 ms. */
const CLUSTER = `
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createFakeCluster } from 'clustershazbot/testing';

const server = createServer((_req, res) => res.end('{}')).listen(0, '127.0.0.1');
await once(server, 'listening');
createFakeCluster({
  online: [
    { baseUrl: \`http://127.0.0.1:\${server.address().port}/\`, tags: { role: 'orders' } },
    { baseUrl: 'http://db-1:3000/', tags: { role: 'db' } },
    'http://other:3000/',
  ],
});
setTimeout(() => process.exit(), 300).unref();
`;
const NEST = ['clustershazbot.controller.ts', 'clustershazbot.service.ts', 'clustershazbot.module.ts', 'main.ts'];
/** @typedef {InstanceType<typeof Project>} UserProject */

/** @type {Set<UserProject>} */
const projects = new Set();
after(() => {
  for (const project of projects) project.remove();
});

function project() {
  const created = new Project();
  projects.add(created);
  return created;
}

/**
 * Runs a program as two servers, which must find each other.
 *
 * @param {UserProject} project
 * @param {string} file
 * @param {NodeJS.ProcessEnv} [env]
 * @param {(first: string, second: string) => unknown} [check] called with both base URLs, while both run
 */
function runTwice(project, file, env, check) {
  return runsTwice(project.folder, (own) => project.run(file, { ...own, ...env }), check);
}

describe('the programs in the documents', () => {
  test('README.md: the Express program forms a cluster of two', { timeout: 60_000 }, async () => {
    const it = project();
    it.write('app.mjs', program('README.md', 'app.mjs'));
    await runTwice(it, 'app.mjs', {}, async (first, second) => {
      assert.deepEqual((await request(first)).json.sort(), [first, second].sort());
    });
  });

  test('README.md: the Nest application forms a cluster of two', { timeout: 60_000 }, async () => {
    const it = project();
    it.write('main.ts', program('README.md', 'main.ts'));
    await it.compile('main.ts');
    await runTwice(it, 'main.js');
  });

  test('docs/nest.md: the application with a guard and a health check forms a cluster of two', {
    timeout: 60_000,
  }, async () => {
    const it = project();
    it.write('main.ts', program('docs/nest.md', 'main.ts'));
    await it.compile('main.ts');
    await runTwice(it, 'main.js', {}, async (first, second) => {
      assert.equal((await request(`${first}servers`)).status, 403, 'the guard protects the application');
      const { json } = await request(`${first}servers`, { headers: { user: 'me' } });
      assert.deepEqual(json.sort(), [first, second].sort());
      assert.equal((await request(`${first}health`)).status, 200);
    });
  });

  test('docs/upgrading.md: the Nest application with routes written by hand forms a cluster of two', {
    timeout: 60_000,
  }, async () => {
    const it = project();
    for (const file of NEST) it.write(file, program('docs/upgrading.md', file));
    await it.compile(...NEST);
    await runTwice(it, 'main.js');
  });

  test('docs/upgrading.md: the Express program with routes written by hand forms a cluster of two', {
    timeout: 60_000,
  }, async () => {
    const it = project();
    it.write('express.mjs', program('docs/upgrading.md', 'express.mjs'));
    await runTwice(it, 'express.mjs', {}, async (first, second) => {
      assert.deepEqual((await request(`${first}servers`)).json.sort(), [first, second].sort());
    });
  });

  test('docs/upgrading.md: the Express program reports an invalid configuration and exits with 1', async () => {
    const it = project();
    it.write('express.mjs', program('docs/upgrading.md', 'express.mjs'));
    const [port] = await freePorts(1);
    const wrong = it.run('express.mjs', { ...SECRETS, PORT: String(port), SHAZBOT_GOSSIP_INTERVAL: 'abc' });
    assert.equal(await wrong.exit, 1);
    assert.match(wrong.output, /SHAZBOT_BASE_URL/);
    assert.match(wrong.output, /SHAZBOT_GOSSIP_INTERVAL: "abc" is not a number of seconds/);
  });

  test('every JavaScript block has a file name, and Node can parse it', async () => {
    const it = project();
    for (const block of GUIDES.flatMap(blocks)) {
      if (block.language !== 'js') continue; // The tests above compile TypeScript.
      assert.ok(block.name, `a block in ${block.document} does not begin with a file name:\n${block.text}`);
      await promisify(execFile)(process.execPath, ['--check', it.write(block.name, block.text)]);
    }
  });

  test('the fragments in the guides run in a process that knows three servers', { timeout: 120_000 }, async () => {
    const it = project();
    it.write('cluster.mjs', CLUSTER);
    let ran = 0;
    for (const { document, name, text } of GUIDES.flatMap(blocks)) {
      if (!name.endsWith('.mjs') || WHOLE_PROGRAMS.has(name)) continue;
      const [port] = await freePorts(1);
      it.write(name, text.replace('listen(3000', `listen(${port}`));
      const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', './cluster.mjs', name], {
        cwd: it.folder,
        env: { ...process.env, ...SECRETS },
        timeout: 20_000,
      });
      assert.equal(stderr, '', `${name} in ${document}: ${stdout}`);
      ran += 1;
    }
    assert.ok(ran >= 8, `${ran} fragments ran`);
  });

  test('every JSON block is valid JSON', () => {
    for (const { language, text } of DOCUMENTS.flatMap(blocks)) if (language === 'json') JSON.parse(text);
  });
});

describe('the documents', () => {
  test('the package, the platform packages and the crate have one version', () => {
    const { version } = JSON.parse(read('package.json'));
    for (const name of readdirSync(path.join(ROOT, 'npm'), { withFileTypes: true })) {
      if (name.isDirectory())
        assert.equal(JSON.parse(read(`npm/${name.name}/package.json`)).version, version, name.name);
    }
    assert.ok(read('Cargo.toml').includes(`[workspace.package]\nversion = "${version}"\n`));
    for (const name of ['clustershazbot', 'clustershazbot-core'])
      assert.ok(read('Cargo.lock').includes(`name = "${name}"\nversion = "${version}"\n`), name);
    assert.equal(
      JSON.parse(read('package.json')).optionalDependencies,
      undefined,
      'only npm run pack writes optionalDependencies',
    );
  });

  test('THIRD-PARTY-LICENSES.md names every crate that is linked into the binary', async () => {
    const args = [
      'tree',
      '--locked',
      '--edges=normal',
      '--target=x86_64-unknown-linux-gnu',
      '--prefix=none',
      '--format={p}',
    ];
    const { stdout } = await promisify(execFile)('cargo', args, { cwd: ROOT });
    const crates = new Set(stdout.split('\n').map((line) => line.replace(/^(\S+) v(\S+).*$/, '$1 $2')));
    const named = new Set(
      [...read('THIRD-PARTY-LICENSES.md').matchAll(/^- (\S+ [^\s:]+)/gm)].map(([, crate]) => crate),
    );
    const missing = [...crates].filter((crate) => crate && !crate.startsWith('clustershazbot ') && !named.has(crate));
    assert.deepEqual(missing, [], 'npm run release -- licences');
  });

  test('links lead to files and headings that exist', () => {
    const broken = [];
    for (const document of DOCUMENTS) {
      for (const link of links(read(document))) {
        if (/^(https?:|mailto:)/.test(link)) continue;
        const [file, heading] = link.split('#');
        const target = file ? path.join(path.dirname(document), file) : document;
        if (!existsSync(path.join(ROOT, target))) broken.push(`${document}: ${link}`);
        else if (heading && !headings(read(target)).includes(heading)) broken.push(`${document}: ${link}`);
      }
    }
    assert.deepEqual(broken, []);
  });

  test('every environment variable and error code is documented', () => {
    const types = read('index.d.ts');
    const configuration = read('docs/configuration.md');
    // The type names those of version 1, the engine reads more.
    assert.equal([...types.matchAll(/^ {2}(SHAZBOT_\w+):/gm)].length, 11);
    const variables = new Set([...sources('src/config').matchAll(/"(SHAZBOT_\w+)"/g)].map(([, name]) => name));
    assert.equal(variables.size, 25);
    for (const name of variables) assert.ok(configuration.includes(`| \`${name}\` |`), name);
    const codes = [...types.matchAll(/'(SHAZBOT_\w+)'/g)].map(([, code]) => code);
    assert.equal(codes.length, 20);
    for (const code of codes) assertExplained(code);
  });

  test('every code of a warning or a log record is documented', () => {
    const source = sources('src/engine');
    const codes = [...source.matchAll(/\b(?:log|warning(?:_once)?|Some)\(\s*"([A-Z_]+)"/g)].map(([, code]) => code);
    assert.ok(codes.length >= 20, `${codes}`);
    for (const code of new Set(codes)) assertExplained(code);
  });

  test('docs/api.md is what node scripts/api.js writes', () => {
    assert.equal(read('docs/api.md'), reference());
  });

  test('the README has at most 160 lines, and a page for users or contributors 250', () => {
    const long = DOCUMENTS.filter((name) => name.startsWith('docs/') && !LONG.includes(name.slice('docs/'.length)));
    const lines = (/** @type {string} */ name) => read(name).split('\n').length - 1;
    assert.ok(lines('README.md') <= 160);
    assert.deepEqual(
      long.filter((name) => lines(name) > 250),
      [],
    );
  });

  test('docs/README.md leads to every page', () => {
    const index = read('docs/README.md');
    const pages = DOCUMENTS.filter((name) => /^docs\/(?:\w+\/)?[\w-]+\.md$/.test(name) && name !== 'docs/README.md');
    assert.deepEqual(
      pages.filter((name) => !index.includes(`](${name.slice('docs/'.length)}`)),
      [],
    );
  });

  test('the link in an error leads to a heading of a document that is published', () => {
    assert.ok(JSON.parse(read('package.json')).files.includes('docs'));
    for (const code of ['SHAZBOT_ALONE', 'SHAZBOT_INVALID_CONFIG']) {
      const [, file, anchor] = /See clustershazbot\/(\S+)#(\S+)$/.exec(withLink(code, 'It failed.')) ?? [];
      assert.ok(headings(read(String(file))).includes(String(anchor)), `${file}#${anchor}`);
    }
  });
});

/**
 * Asserts that docs/errors.md has one heading for a code: two would have other anchors.
 *
 * @param {string | undefined} code
 */
function assertExplained(code) {
  assert.equal(read('docs/errors.md').split(`\n### \`${code}\`\n`).length, 2, code);
}

/** @param {string} folder */
function sources(folder) {
  const names = readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.rs'));
  return files.map((name) => readFileSync(path.join(ROOT, folder, name), 'utf8')).join('\n');
}

/**
 * The targets of the links and pictures of a document, outside code.
 *
 * @param {string} text
 */
function links(text) {
  const prose = text.replace(/^ *```.*?^ *```$/gms, '').replace(/`[^`\n]*`/g, (code) => code.replace(/[()[\]]/g, ' '));
  return [...prose.matchAll(/\]\(([^)\s]+)\)|\b(?:src|srcset)="([^"]+)"/g)].map(([, link, picture]) => link ?? picture);
}

/**
 * The anchors that GitHub gives to the headings of a document.
 *
 * @param {string} text
 */
function headings(text) {
  const outside = text.replace(/^```.*?^```$/gms, '');
  return [...outside.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
