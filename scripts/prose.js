'use strict';

// Checks the English of what users read: documents, comments of the public types, and help texts. node scripts/prose.js [FILE…]

const { execFileSync } = require('node:child_process');
const { readFileSync, readdirSync } = require('node:fs');
const { join } = require('node:path');

const { ROOT } = require('./shared/cargo.js');

/** A sentence with more words is hard to read for people whose first language is not English. */
const LONGEST = 38;
/** Expressions to avoid, each with what to write. A reader stumbles over them, or takes them for something else. */
/** @type {[RegExp, string][]} */
const AVOID = [
  [/\bwho(?:m|ever|mever)\b/i, 'name the person or the server'],
  [/\bbesides\b/i, 'in addition to, or: and'],
  [/\bin (?:its|their|his) place\b|\bin place of\b/i, 'instead of'],
  [/\bof which\b/i, 'begin another sentence'],
  [/\bthereby\b/i, 'begin another sentence'],
  [/(?<!\b[Tt]here )\b(?:is|are|was|were) no (?!longer|more|less|fewer)/, 'is not a …, has no …'],
  [/\bnone that\b/i, 'no … that, not a … that'],
  [/\bby (?:itself|themselves)\b/i, 'automatically, alone'],
  [/\btold on\b|\btold of\b/i, 'reported, informed'],
  [/\bmend(?:ed|s)?\b/i, 'fix'],
  [/\bsaid\b/i, 'logged, reported'],
  [/\bvouch/i, 'confirm'],
  [/\btime-outs?\b/i, 'timeout'],
  [/\bbut for(?! at)\b/i, 'except for'],
  [/\bheed/i, 'obey, support'],
  [/\bto mind\b/i, 'to consider'],
  [/\b(?:as|like) (?:it|they) (?:is|are) none\b/i, 'say it directly'],
];

/** Documents of the project, without the licences of others and what scripts write from other sources. */
function documents() {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const generated = ['THIRD-PARTY-LICENSES.md', 'docs/api.md'];
  return listed.split('\n').filter((name) => name && !generated.includes(name));
}

/** Types that users read, and commands with a help text. */
function sources() {
  const types = readdirSync(join(ROOT, 'lib')).filter((name) => name.endsWith('.d.ts') && name !== 'native.d.ts');
  const commands = readdirSync(join(ROOT, 'lib/cli/commands'));
  return [
    'index.d.ts',
    ...types.map((name) => `lib/${name}`),
    ...['help', 'options', 'server-options'].map((name) => `lib/cli/${name}.js`),
    ...commands.map((name) => `lib/cli/commands/${name}`),
  ];
}

/** @typedef {{ line: number, text: string }} Paragraph */

/** The prose of a document: paragraphs, list items and cells of tables. @param {string} text @returns {Paragraph[]} */
function markdown(text) {
  const prose = text
    .replace(/^ *```.*?^ *```$/gms, (block) => block.replace(/[^\n]/g, ''))
    .replace(/<!--.*?-->/gs, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/`[^`]*`/g, (code) => (code.includes('\n') ? code.replace(/\S/g, 'x') : 'x'))
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}/g, '');
  return paragraphs(prose, /^\s*(?:[-*] |\d+\. |#|\||$)/);
}

/** The comments and texts of a source file. @param {string} text @returns {Paragraph[]} */
function comments(text) {
  const prose = text.split('\n').map((line) => {
    const comment = /^\s*(?:\/\*\*|\*|\/\/) ?(.*?)(?:\*\/)?$/.exec(line)?.[1];
    return (comment ?? (/^[A-Z ]/.test(line) && !/[;{}()=>]/.test(line) ? line : '')).replace(/`[^`]*`/g, 'x');
  });
  return paragraphs(prose.join('\n'), /^\s*(?:@|- |$)/);
}

/** @param {string} text @param {RegExp} begins the first line of a paragraph, or an empty one @returns {Paragraph[]} */
function paragraphs(text, begins) {
  /** @type {Paragraph[]} */
  const found = [];
  for (const [index, line] of text.split('\n').entries()) {
    const cells = line.startsWith('|') ? line.split('|') : [line];
    for (const cell of cells) {
      if (cells.length > 1 || begins.test(line) || found.length === 0) found.push({ line: index + 1, text: '' });
      const last = /** @type {Paragraph} */ (found.at(-1));
      last.text += `${cell.trim()} `;
    }
  }
  return found.filter((paragraph) => paragraph.text.trim() !== '');
}

/** @param {string} name @returns {string[]} what to change */
function problemsIn(name) {
  const text = readFileSync(join(ROOT, name), 'utf8');
  const problems = [];
  for (const paragraph of name.endsWith('.md') ? markdown(text) : comments(text)) {
    const at = `${name}:${paragraph.line}`;
    for (const [pattern, instead] of AVOID) {
      const match = pattern.exec(paragraph.text);
      if (match) problems.push(`${at}: "${match[0]}": ${instead}`);
    }
    for (const sentence of paragraph.text.split(/(?<=[.:;?!])["')]?\s/)) {
      if (/^(?:What|Who|Whose) .*\.\s*$/.test(sentence))
        problems.push(`${at}: say who does it: ${sentence.slice(0, 60)}`);
      const words = sentence.match(/[\p{L}\p{N}]\S*/gu)?.length ?? 0;
      if (words > LONGEST) problems.push(`${at}: ${words} words: ${sentence.trim().slice(0, 60)}…`);
    }
  }
  return problems;
}

const given = process.argv.slice(2);
const problems = (given.length > 0 ? given : [...documents(), ...sources()]).flatMap(problemsIn);
for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error(`${problems.length} places are hard to read`);
  process.exitCode = 1;
}
