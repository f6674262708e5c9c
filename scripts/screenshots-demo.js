'use strict';

// Makes docs/demo.png: the page beside two terminals, while a server of the demo is dead. All three show the real output.

const { spawn } = require('node:child_process');
const { join } = require('node:path');
const { text } = require('node:stream/consumers');
const { setTimeout: sleep } = require('node:timers/promises');
const { until } = require('../harness/until.js');

const PROGRAM = join(__dirname, '..', 'bin', 'clustershazbot.js');
const PICTURE = join(__dirname, '..', 'docs', 'demo.png');
const ESC = String.fromCharCode(27);
const SECRET = 'demo-control-secret';
/** How long until the owner of a key is settled: two gossip intervals of the demo. */
const SETTLED_MS = 1_100;
const KILLED = /✔ kill 3/;
/** Classes for the colours of the terminal. @type {Record<string, string>} */
const CLASSES = { 1: 'bold', 2: 'dim', 31: 'red', 32: 'green', 33: 'yellow', 35: 'magenta', 36: 'cyan' };

const STYLE = `
  body { margin: 0; padding: 16px; display: flex; align-items: start; gap: 16px; background: #e9ecf1; width: max-content; }
  .window { border-radius: 8px; overflow: hidden; box-shadow: 0 2px 10px #0003; }
  .window h1 { margin: 0; padding: 7px 12px; background: #343b46; color: #e7eaef; font: 600 12px system-ui, sans-serif; }
  .terminals { display: grid; gap: 16px; align-content: start; }
  pre { margin: 0; padding: 10px 14px; background: #14171c; color: #e7eaef; font: 12px / 1.4 ui-monospace, monospace; }
  img { display: block; width: 680px; }
  .bold { font-weight: 700; } .dim { color: #8b95a3; } .red { color: #ff9089; } .green { color: #6fd39b; }
  .yellow { color: #f2b45c; } .magenta { color: #b9aaff; } .cyan { color: #66d9e8; }
`;

/** @param {import('playwright-core').Browser} browser */
async function takeDemo(browser) {
  const demo = inTerminal('demo');
  let output = '';
  demo.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  try {
    const address = () => /page: (\S+)clustershazbot/.exec(plain(output))?.[1];
    const url = await until(address, { what: 'the demo runs' });
    const page = await openPage(browser, `${url}clustershazbot/`);
    await until(() => KILLED.test(lastFrame(output)), { timeout: 60_000, what: 'a server is killed' });
    const frame = lastFrame(output);
    await sleep(SETTLED_MS);
    await page.evaluate('poll()');
    const image = (await page.screenshot()).toString('base64');
    const [, job = ''] = /(job-\d+) belongs/.exec(plain(frame)) ?? [];
    const commands = await Promise.all([run('members', url), run(`owner ${job}`, url)]);
    const windows = [
      `<div class="terminals">${terminal('npx clustershazbot demo', frame)}${terminal('Terminal', commands.join('\n'))}</div>`,
      `<div class="window"><h1>${url}clustershazbot/</h1><img src="data:image/png;base64,${image}"></div>`,
    ];
    const composed = await browser.newPage({ deviceScaleFactor: 1.5, viewport: { width: 1400, height: 100 } });
    await composed.setContent(`<!doctype html><style>${STYLE}</style>${windows.join('')}`);
    await composed.locator('body').screenshot({ path: PICTURE });
  } finally {
    demo.kill();
  }
}

/**
 * Opens the page and logs in.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 */
async function openPage(browser, url) {
  const viewport = { width: 680, height: 570 };
  const page = await browser.newPage({ viewport, deviceScaleFactor: 1.5, reducedMotion: 'reduce', locale: 'en-GB' });
  await until(() => page.goto(url).catch(() => undefined), { what: 'the page answers' });
  await page.getByLabel('Control secret').fill(SECRET);
  await page.keyboard.press('Enter');
  await until(() => page.getByText('All 5 servers are online').isVisible(), {
    timeout: 20_000,
    what: 'all are online',
  });
  return page;
}

/**
 * Runs a program in a terminal.
 *
 * @param {string} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function inTerminal(args, env) {
  const command = `stty cols 84 rows 40; exec '${process.execPath}' '${PROGRAM}' ${args}`;
  return spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', FORCE_COLOR: '1', ...env },
  });
}

/** The output of a command. @param {string} args @param {string} url */
async function run(args, url) {
  const child = inTerminal(args, { SHAZBOT_BASE_URL: url, SHAZBOT_CONTROL_SECRET: SECRET });
  return `$ npx clustershazbot ${args}\n${(await text(child.stdout)).replaceAll('\r', '')}`;
}

/** The last whole table that the demo drew. @param {string} output */
function lastFrame(output) {
  const frames = output.split(`${ESC}[J`);
  return (frames.at(-2) ?? '')
    .replace(new RegExp(`^[^]*${ESC}\\[\\d+A\\r`), '')
    .replaceAll(`${ESC}[K`, '')
    .replaceAll('\r', '');
}

/** Without colours. @param {string} text */
const plain = (text) => text.replaceAll(new RegExp(`${ESC}\\[[\\d;?]*[A-Za-z]`, 'g'), '');

/**
 * @param {string} title
 * @param {string} text with colours
 */
function terminal(title, text) {
  const escaped = text.trim().replace(/[&<>]/g, (it) => `&#${it.charCodeAt(0)};`);
  const html = escaped.replaceAll(new RegExp(`${ESC}\\[(\\d+)m`, 'g'), (_, code) =>
    CLASSES[code] ? `<span class="${CLASSES[code]}">` : '</span>',
  );
  return `<div class="window"><h1>${title}</h1><pre>${html}</pre></div>`;
}

module.exports = { takeDemo };
