'use strict';

// Builds and runs the fuzz targets in fuzz/ with libFuzzer, as cargo-fuzz does with `-s none`, but with the stable compiler.

const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const { cpSync, createWriteStream, mkdirSync, readdirSync, readFileSync, rmSync } = require('node:fs');
const { availableParallelism } = require('node:os');
const { join, relative } = require('node:path');

const { ROOT } = require('./shared/cargo.js');
const { run } = require('./shared/command.js');
const { count, table } = require('./shared/text.js');

const work = join(ROOT, 'target', 'fuzz');
const targets = readdirSync(join(ROOT, 'fuzz', 'fuzz_targets')).map((file) => file.replace('.rs', ''));
const compiler = process.env.CXX ?? 'c++';

const help = `npm run fuzz [-- --runs N --target NAME]

Runs random inputs, guided by the code they reach, through everything that parses what peers, lists or callers send.

  --runs N       runs of each target, default: 1000000; of body, whose inputs make up to 8 MiB, a tenth
  --target NAME  only one of ${targets.join(', ')}

Fails if anything panics, if a call takes over 10 ms in each of ten tries or five seconds in one, or if memory grows. A
body may take 20 ms, and one of 8 MiB, which another thread reads, a second and 40 MiB.
Starts with the inputs in fuzz/corpus, and leaves its files, including an input that failed, in target/fuzz. Needs a C++
compiler.
`;

// The flags that cargo-fuzz gives to rustc.
const flags = [
  '--cfg fuzzing',
  '-Cpasses=sancov-module',
  ...['level=4', 'inline-8bit-counters', 'pc-table', 'trace-compares'].map(
    (what) => `-Cllvm-args=-sanitizer-coverage-${what}`,
  ),
];
// The longest input: a run of the core takes longer than one of a parser, and grows with its input.
const lengths = /** @type {Record<string, number>} */ ({ core: 2048, body: 1024 });
// How many times fewer runs a target gets because each takes longer.
const fewer = /** @type {Record<string, number>} */ ({ body: 10 });

run({
  name: 'fuzz --',
  help,
  options: { runs: { type: 'string' }, target: { type: 'string' } },
  read({ runs = '1000000', target }) {
    if (!/^[1-9]\d*$/.test(runs)) throw new Error('--runs takes a whole number');
    if (target !== undefined && !targets.includes(target)) throw new Error(`--target takes ${targets.join(', ')}`);
    return { runs: Number(runs), chosen: target === undefined ? targets : [target] };
  },
  async main({ runs, chosen }) {
    const programs = build(chosen);
    // The slowest target first, so that it does not run alone at the end.
    const waiting = [...chosen].sort((a, b) => Number(b in lengths) - Number(a in lengths));
    /** @type {string[][]} */
    const rows = [];
    const work = async () => {
      for (let target = waiting.shift(); target; target = waiting.shift()) {
        rows.push(await fuzz(join(programs, target), target, runs));
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, work));
    console.log(table([['target', 'runs', 'a second', 'points reached', 'peak MB'], ...rows.sort()]));
  },
});

/**
 * @param {string[]} chosen
 * @returns {string} the folder of the programs
 */
function build(chosen) {
  if (spawnSync(compiler, ['--version']).error) {
    throw new Error(`${compiler} is missing: libFuzzer needs a C++ compiler. On Debian: apt-get install g++`);
  }
  const rustc = spawnSync('rustc', ['-vV'], { encoding: 'utf8' });
  const host = /^host: (.*)$/m.exec(rustc.stdout)?.[1];
  if (!host) throw new Error('rustc does not run: install Rust');
  // Names the host as target, so that build scripts are compiled without these flags.
  const args = ['build', '--quiet', '--release', '--target', host, '--target-dir', work];
  const { status } = spawnSync('cargo', [...args, '--locked', ...chosen.flatMap((target) => ['--bin', target])], {
    cwd: join(ROOT, 'fuzz'),
    stdio: 'inherit',
    env: { ...process.env, RUSTFLAGS: flags.join(' ') },
  });
  if (status !== 0) throw new Error('the build of the targets failed');
  return join(work, host, 'release');
}

/**
 * @param {string} program
 * @param {string} target
 * @param {number} runs
 * @returns {Promise<string[]>} a row of the table
 */
async function fuzz(program, target, runs) {
  const corpus = join(work, 'corpus', target);
  const found = join(work, `${target}-`);
  const log = join(work, `${target}.log`);
  // A copy, because libFuzzer adds inputs: each run starts with the same corpus.
  rmSync(corpus, { recursive: true, force: true });
  mkdirSync(corpus, { recursive: true });
  cpSync(join(ROOT, 'fuzz', 'corpus', target), corpus, { recursive: true });
  const limits = ['-timeout=5', '-rss_limit_mb=512', `-max_len=${lengths[target] ?? 4096}`];
  const output = createWriteStream(log);
  await once(output, 'open');
  const child = spawn(
    program,
    [
      `-runs=${Math.ceil(runs / (fewer[target] ?? 1))}`,
      ...limits,
      `-artifact_prefix=${found}`,
      '-print_final_stats=1',
      corpus,
    ],
    { stdio: ['ignore', output, output] },
  );
  const [status] = await once(child, 'close');
  const text = readFileSync(log, 'utf8');
  if (status !== 0) {
    const why = /panicked at [^\n]*\n[^\n]*|ERROR: libFuzzer: [^\n]*/.exec(text)?.[0] ?? `exit code ${status}`;
    const input = /Test unit written to (.*)/.exec(text)?.[1];
    const again = input ? `\nTo repeat it: ${relative(ROOT, program)} ${relative(ROOT, input)}` : '';
    throw new Error(`${target}: ${why}${again}\nIts whole output: ${relative(ROOT, log)}`);
  }
  const stat = (/** @type {string} */ name) => Number(new RegExp(`stat::${name}: *(\\d+)`).exec(text)?.[1]);
  const reached = [...text.matchAll(/ cov: (\d+)/g)].at(-1)?.[1];
  const [done, speed, memory] = ['number_of_executed_units', 'average_exec_per_sec', 'peak_rss_mb'].map(stat);
  return [target, count(done ?? 0), count(speed ?? 0), reached ?? '', String(memory)];
}
