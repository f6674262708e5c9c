'use strict';

// Writes docs/api.md, the reference of all functions and types, from the comments in index.d.ts and in the types of the subpaths.

const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const { ROOT } = require('./shared/cargo.js');

const FILE = join(ROOT, 'docs/api.md');

/** @typedef {{ name: string, comment: string, code: string }} Declaration */

/** @param {string} source the text of a .d.ts file @returns {Declaration[]} */
function declarations(source) {
  /** @type {Declaration[]} */
  const found = [];
  let comment = '';
  let code = '';
  let depth = 0;
  for (const line of source.split('\n')) {
    const isComment = /^\s*(\/\*\*|\*|\/\/)/.test(line);
    if (code === '') {
      if (line.startsWith('/**')) comment = '';
      if (isComment && !line.startsWith('//')) comment += `${line}\n`;
      if (!/^(export|declare) /.test(line) || /: ObjectConstructor;$/.test(line)) continue;
    }
    code += `${line}\n`;
    if (!isComment) depth += (line.match(/[{(]/g)?.length ?? 0) - (line.match(/[})]/g)?.length ?? 0);
    if (isComment || depth > 0 || !/[;}]$/.test(line)) continue;
    add(found, textOf(comment), code.trimEnd());
    comment = '';
    code = '';
  }
  return found;
}

/** @param {Declaration[]} found @param {string} comment @param {string} code */
function add(found, comment, code) {
  const name = /^(?:export )?(?:declare )?(?:abstract )?\w+ (\w+)/.exec(code)?.[1];
  if (name === undefined) return;
  // Overloads, and a namespace beside its function.
  const known = found.find((it) => it.name === name);
  if (known) known.code += `\n${code}`;
  else found.push({ name, comment, code });
}

/** @param {string} comment with its frame */
const textOf = (comment) => comment.replace(/^ *\/\*\* ?|^ *\*\/|^ *\* ?| *\*\/$/gm, '').trim();

/** @returns {{ subpath: string, all: Declaration[] }[]} */
function modules() {
  /** @type {Record<string, { types?: string }>} */
  const exported = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).exports;
  return Object.entries(exported).flatMap(([path, { types }]) =>
    types === undefined
      ? []
      : [{ subpath: `clustershazbot${path.slice(1)}`, all: declarations(readFileSync(join(ROOT, types), 'utf8')) }],
  );
}

/** @param {string} text a comment @param {Set<string>} names that have a heading on the page */
function prose(text, names) {
  return text
    .replace(/\{@link (\w+)\}/g, (_, name) =>
      names.has(name) ? `[\`${name}\`](#${name.toLowerCase()})` : `\`${name}\``,
    )
    .replace(/^@param (\w+) /gm, '\n`$1`: ')
    .replace(/^@returns /gm, '\nReturns ')
    .replace(/\bdocs\/(\w+\.md)/g, '[$1]($1)');
}

/** @param {Declaration} declaration @param {Set<string>} names */
function section({ name, comment, code }, names) {
  return [`### ${name}`, prose(comment, names), `\`\`\`ts\n${code}\n\`\`\``].filter(Boolean).join('\n\n');
}

/** @returns {string} Markdown */
function reference() {
  const all = modules();
  const names = new Set(all.flatMap((module) => module.all.map(({ name }) => name)));
  const isType = (/** @type {Declaration} */ { code }) => /^export (interface|type) /.test(code);
  const index = all.map(({ subpath, all }) => {
    const links = all.filter((it) => !isType(it)).map(({ name }) => `[\`${name}\`](#${name.toLowerCase()})`);
    return `| \`${subpath}\` | ${links.join(', ')} |`;
  });
  const sections = all.map(({ subpath, all }) => {
    const ordered = [...all.filter((it) => !isType(it)), ...all.filter(isType)];
    return [`## ${subpath}`, ...ordered.map((it) => section(it, names))].join('\n\n');
  });
  return `# API

<!-- Written by \`node scripts/api.js\` from index.d.ts and lib/*.d.ts. Change those, not this file. -->

Every function and type of the package. [Calling and owning](calling-and-owning.md), [tags](tags.md) and
[events and metrics](events-and-metrics.md) show how to use them.

| Import from | Functions and values |
|---|---|
${index.join('\n')}

${sections.join('\n\n')}
`;
}

if (require.main === module) writeFileSync(FILE, reference());

module.exports = { FILE, reference };
