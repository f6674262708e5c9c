'use strict';

const { cpSync, mkdirSync, statSync } = require('node:fs');
const path = require('node:path');

/** @typedef {InstanceType<typeof import('../../harness/registry.js').Registry>} Registry */

/**
 * Does what a Dockerfile says, without Docker: each stage is a folder, and what it runs runs on this machine. For what our
 * examples use: FROM, WORKDIR, COPY, RUN, USER, HEALTHCHECK, CMD.
 *
 * @param {Registry} registry that its commands install from
 * @param {string} context the folder it is built in
 * @param {string} text
 * @returns {Promise<{ image: string, command: [string, string[]] }>} the work folder of the last stage, and what it starts
 */
async function buildImage(registry, context, text) {
  /** @type {Map<string, string>} */
  const stages = new Map();
  let root = '';
  let work = '/';
  /** @type {[string, string[]]} */
  let command = ['', []];
  for (const line of text.split('\n').filter((it) => it && !it.startsWith('#'))) {
    const [instruction = '', ...words] = line.split(/\s+/);
    const rest = line.slice(instruction.length).trim();
    if (instruction === 'FROM') {
      root = path.join(context, `stage-${stages.size + 1}`);
      work = '/';
      stages.set(words[2] ?? String(stages.size), root);
    } else if (instruction === 'WORKDIR') {
      work = rest;
      mkdirSync(path.join(root, work), { recursive: true });
    } else if (instruction === 'COPY') {
      const stage = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
      const from = stage ? (stages.get(stage) ?? '') : context;
      const target = path.join(root, work, String(words.pop()));
      for (const word of words) {
        const source = path.join(from, word);
        // Of a folder what is in it, of a file the file.
        const to = statSync(source).isDirectory() ? target : path.join(target, path.basename(word));
        cpSync(source, to, { recursive: true, verbatimSymlinks: true });
      }
    } else if (instruction === 'RUN') {
      await registry.run(path.join(root, work), 'sh', ['-c', rest]);
    } else if (instruction === 'CMD') {
      const [program, ...args] = JSON.parse(rest);
      command = [program, args];
    } else if (instruction !== 'USER' && instruction !== 'HEALTHCHECK') {
      throw new Error(`${instruction} is not understood here`);
    }
  }
  return { image: path.join(root, work), command };
}

module.exports = { buildImage };
