'use strict';

const { execFile } = require('node:child_process');
const { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');
const { copyPackage } = require('./package.js');
const { start } = require('../../harness/program.js');

const ROOT = path.join(__dirname, '../..');
const APP = path.join(ROOT, '__test__/apps/examples');

/**
 * A fenced block of a document.
 *
 * @typedef {object} Block
 * @property {string} document
 * @property {string} language
 * @property {string} name the file that a first line such as `// main.ts` names, or empty
 * @property {string} text
 */

/** @param {string} document */
function read(document) {
  return readFileSync(path.join(ROOT, document), 'utf8');
}

/**
 * @param {string} document
 * @returns {Block[]}
 */
function blocks(document) {
  return [...read(document).matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => {
    const name = /^(?:\/\/|#) (\S+\.\w+)\n/.exec(text)?.[1] ?? '';
    return { document, language, name, text };
  });
}

/**
 * The text of the block that a document gives as the file of this name.
 *
 * @param {string} document
 * @param {string} name
 */
function program(document, name) {
  const block = blocks(document).find((block) => block.name === name);
  if (!block) throw new Error(`${document} has no block that begins with the file name ${name}`);
  return block.text;
}

/** A project of a user, in a folder of its own, with the packages that the documents' programs import. */
class Project {
  folder = mkdtempSync(path.join(os.tmpdir(), 'clustershazbot-documents-'));
  /** @type {Set<import('node:child_process').ChildProcess>} */
  #children = new Set();

  constructor() {
    this.write('package.json', JSON.stringify({ type: 'module', private: true }));
    const { devDependencies } = JSON.parse(readFileSync(path.join(APP, 'package.json'), 'utf8'));
    for (const name of [...Object.keys(devDependencies), '@types/node']) {
      const found = [APP, ROOT].map((folder) => path.join(folder, 'node_modules', name)).find(existsSync);
      if (!found) throw new Error(`${name} is not installed`);
      this.#link(name, found);
    }
    copyPackage(path.join(this.folder, 'node_modules', 'clustershazbot'));
  }

  /**
   * @param {string} name
   * @param {string} target
   */
  #link(name, target) {
    const link = path.join(this.folder, 'node_modules', name);
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(target, link, 'junction');
  }

  /**
   * @param {string} file
   * @param {string} text
   */
  write(file, text) {
    const full = path.join(this.folder, file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, text);
    return full;
  }

  /**
   * Compiles TypeScript with all checks of `strict`, and with Nest's options for decorators.
   *
   * @param {string[]} files
   */
  async compile(...files) {
    const options = {
      target: 'es2022',
      module: 'nodenext',
      strict: true,
      skipLibCheck: true,
      types: ['node'],
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      isolatedModules: true,
    };
    const config = this.write('tsconfig.json', JSON.stringify({ compilerOptions: options, files }));
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    await promisify(execFile)(process.execPath, [tsc, '--project', config]).catch((error) => {
      throw new Error(`tsc refuses it:\n${error.stdout}${error.stderr}`);
    });
  }

  /**
   * @param {string} file
   * @param {NodeJS.ProcessEnv} env
   * @param {string[]} [args]
   */
  run(file, env, args = []) {
    const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SHAZBOT_')));
    const started = start(this.folder, process.execPath, [path.join(this.folder, file), ...args], { ...own, ...env });
    this.#children.add(started.child);
    return started;
  }

  remove() {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

module.exports = { Project, ROOT, blocks, program, read };
