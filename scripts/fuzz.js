'use strict';

// Coverage-guided fuzzing of whatever parses what a peer, a list or a caller sends: the targets in fuzz/. It builds them as
// cargo-fuzz does with `-s none`, but with the stable compiler.

const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const { cpSync, createWriteStream, mkdirSync, readdirSync, readFileSync, rmSync } = require('node:fs');
const { availableParallelism } = require('node:os');
const { join, relative } = require('node:path');
const { run } = require('./shared/command.js');
const { table } = require('./shared/table.js');
const { count } = require('./shared/text.js');

const root = join(__dirname, '..');
const work = join(root, 'target', 'fuzz');
const targets = readdirSync(join(root, 'fuzz', 'fuzz_targets')).map((file) => file.replace('.rs', ''));
const compiler = process.env.CXX ?? 'c++';

const help = `Runs random inputs, led by what code they reach, through all that parses what comes in.

npm run fuzz                     a million runs of each target
npm run fuzz -- --target core    of one
  --runs N                       so many
  --target NAME                  one of ${targets.join(', ')}

It fails where anything panics, where one call takes over 10 ms in each of ten tries or five seconds in one, and where memory
grows. It begins with fuzz/corpus, and leaves its work, the input that fails too, in target/fuzz. It needs a C++ compiler.
`;

// What cargo-fuzz gives to rustc.
const flags = [
  '--cfg fuzzing',
  '-Cpasses=sancov-module',
  ...['level=4', 'inline-8bit-counters', 'pc-table', 'trace-compares'].map(
    (what) => `-Cllvm-args=-sanitizer-coverage-${what}`,
  ),
];
// A core costs more than a parser, and the more the longer it is kept busy.
const lengths = /** @type {Record<string, number>} */ ({ core: 2048 });

run(
  { name: 'fuzz', help, options: { runs: { type: 'string' }, target: { type: 'string' } } },
  ({ runs = '1000000', target }) => {
    if (!/^[1-9]\d*$/.test(runs)) throw new Error('--runs takes a whole number');
    if (target !== undefined && !targets.includes(target)) throw new Error(`--target takes ${targets.join(', ')}`);
    return { runs: Number(runs), chosen: target === undefined ? targets : [target] };
  },
  async ({ runs, chosen }) => {
    const programs = build(chosen);
    // The one that takes longest first.
    const waiting = [...chosen].sort((a, b) => Number(b in lengths) - Number(a in lengths));
    /** @type {string[][]} */
    const rows = [];
    await Promise.all(
      Array.from({ length: availableParallelism() }, async () => {
        for (let target = waiting.shift(); target; target = waiting.shift()) {
          rows.push(await fuzz(join(programs, target), target, runs));
        }
      }),
    );
    console.log(table([['target', 'runs', 'a second', 'points reached', 'peak MB'], ...rows.sort()]));
  },
);

/**
 * @param {string[]} chosen
 * @returns {string} where the programs are
 */
function build(chosen) {
  if (spawnSync(compiler, ['--version']).error) {
    throw new Error(`libFuzzer needs a C++ compiler, ${compiler} is missing: on Debian apt-get install g++`);
  }
  const rustc = spawnSync('rustc', ['-vV'], { encoding: 'utf8' });
  const host = /^host: (.*)$/m.exec(rustc.stdout)?.[1];
  if (!host) throw new Error('rustc is missing');
  // Named though it is the same: else build scripts would be compiled with these flags too.
  const args = ['build', '--quiet', '--release', '--target', host, '--target-dir', work];
  const { status } = spawnSync('cargo', [...args, '--locked', ...chosen.flatMap((target) => ['--bin', target])], {
    cwd: join(root, 'fuzz'),
    stdio: 'inherit',
    env: { ...process.env, RUSTFLAGS: flags.join(' ') },
  });
  if (status !== 0) throw new Error('the targets could not be built');
  return join(work, host, 'release');
}

/**
 * @param {string} program
 * @param {string} target
 * @param {number} runs
 * @returns {Promise<string[]>} a row of what came of it
 */
async function fuzz(program, target, runs) {
  const corpus = join(work, 'corpus', target);
  const found = join(work, `${target}-`);
  const log = join(work, `${target}.log`);
  // What it adds is no part of the checkout, and the next run begins with the same.
  rmSync(corpus, { recursive: true, force: true });
  mkdirSync(corpus, { recursive: true });
  cpSync(join(root, 'fuzz', 'corpus', target), corpus, { recursive: true });
  const limits = ['-timeout=5', '-rss_limit_mb=512', `-max_len=${lengths[target] ?? 4096}`];
  const output = createWriteStream(log);
  await once(output, 'open');
  const child = spawn(
    program,
    [`-runs=${runs}`, ...limits, `-artifact_prefix=${found}`, '-print_final_stats=1', corpus],
    { stdio: ['ignore', output, output] },
  );
  const [status] = await once(child, 'close');
  const text = readFileSync(log, 'utf8');
  if (status !== 0) {
    const why = /panicked at [^\n]*\n[^\n]*|ERROR: libFuzzer: [^\n]*/.exec(text)?.[0] ?? `it ended with ${status}`;
    const input = /Test unit written to (.*)/.exec(text)?.[1];
    const again = input ? `\nAgain: ${relative(root, program)} ${relative(root, input)}` : '';
    throw new Error(`${target}: ${why}${again}\nAll it said: ${relative(root, log)}`);
  }
  const stat = (/** @type {string} */ name) => Number(new RegExp(`stat::${name}: *(\\d+)`).exec(text)?.[1]);
  const reached = [...text.matchAll(/ cov: (\d+)/g)].at(-1)?.[1];
  const [done, speed, memory] = ['number_of_executed_units', 'average_exec_per_sec', 'peak_rss_mb'].map(stat);
  return [target, count(done ?? 0), count(speed ?? 0), reached ?? '', String(memory)];
}
