'use strict';

// The charts and counters of the exchanges with other servers.

const SVG = 'http://www.w3.org/2000/svg';
const CHART_HEIGHT = 40;
const BAR_HEIGHT = 38;
/** How many of the last changes the chart of delays shows. */
const DELAYS = 40;

/** @typedef {[tag: string, attributes: Record<string, string | number>]} Shape */

/** @param {Status} status */
function renderExchanges(status) {
  renderRates(session.rates);
  renderDurations(status.exchanges.durations);
  renderDelays(status);
  const items = Object.entries(exchangeCounters(status)).flatMap(([name, value]) => [
    make('dt', '', name),
    make('dd', '', String(value)),
  ]);
  byId('results').replaceChildren(...items);
}

/** @param {[sent: number, received: number][]} rates */
function renderRates(rates) {
  const [sent, received] = rates.at(-1) ?? [0, 0];
  setText(byId('rate-text'), `Per second: ${sent.toFixed(1)} sent, ${received.toFixed(1)} received (dashed)`);
  const highest = Math.max(0.1, ...rates.flat());
  const line = (/** @type {0 | 1} */ side) => {
    const x = (/** @type {number} */ i) => ((RATES - rates.length + i) * 100) / (RATES - 1);
    return rates.map((pair, i) => `${x(i)},${CHART_HEIGHT - (BAR_HEIGHT * pair[side]) / highest}`).join(' ');
  };
  draw('rate', [
    ['polyline', { points: line(0) }],
    ['polyline', { points: line(1), class: 'second' }],
  ]);
}

/** @param {Status['exchanges']['durations']} durations */
function renderDurations({ counts, le }) {
  const total = counts.reduce((a, b) => a + b, 0);
  let below = 0;
  const middle = counts.findIndex((count) => {
    below += count;
    return below > 0 && below >= total / 2;
  });
  const limit = le[middle];
  const median = limit === undefined ? '' : `, median at most ${formatDuration(limit * 1000)}`;
  setText(byId('durations-text'), `Duration of ${total} answered exchanges${median} (bars from 1 ms to over 5 s)`);
  draw('durations', bars(counts));
}

/** @param {Status} status */
function renderDelays({ recent, baseUrl }) {
  const delays = recent
    .filter((event) => hasDelay(event) && event.type !== 'suspect' && event.baseUrl !== baseUrl)
    .slice(-DELAYS)
    .map((event) => event.knownAfter);
  const ordered = delays.slice().sort((a, b) => a - b);
  const [median = 0, slowest = 0] = [ordered[ordered.length >> 1], ordered.at(-1)];
  const text = `Delay until this server knew of the last ${delays.length} changes: median ${formatDuration(median)}, longest ${formatDuration(slowest)}`;
  setText(byId('delays-text'), delays.length > 0 ? text : 'No changes yet');
  draw('delays', bars(delays.map((ms) => Math.log10(1 + ms))));
}

/** @param {Status} status */
function exchangeCounters({ exchanges, lastOut, lastIn, version }) {
  const { out, in: received, bytes, suspicions, deaths, refutations, watches } = exchanges;
  const kilobytes = (/** @type {'sent' | 'received'} */ direction) =>
    Math.round((bytes.out[direction] + bytes.in[direction]) / 1000);
  return {
    answered: out.answered,
    'refused, timed out, unreachable': `${out.refused}, ${out.timedOut}, ${out.unreachable}`,
    'rejected, failed': `${out.rejected}, ${out.failed}`,
    'received, rejected': `${received.answered}, ${received.rejected + received.invalid + received.limited}`,
    'kB sent, received': `${kilobytes('sent')}, ${kilobytes('received')}`,
    'last sent, last received': `${timeSince(lastOut?.at)}, ${timeSince(lastIn?.at)}`,
    'suspicions, deaths, refutations': `${suspicions}, ${deaths}, ${refutations}`,
    'watches open, ended, probes': `${watches.open}, ${watches.closed + watches.vanished}, ${watches.probes}`,
    version,
  };
}

/**
 * @param {string} id
 * @param {Shape[]} shapes
 */
function draw(id, shapes) {
  /** @type {Shape} */
  const base = ['line', { x1: 0, x2: 100, y1: CHART_HEIGHT, y2: CHART_HEIGHT }];
  const elements = [base, ...shapes].map(([tag, attributes]) => {
    const shape = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, String(value));
    return shape;
  });
  byId(id).replaceChildren(...elements);
}

/**
 * @param {number[]} values
 * @returns {Shape[]}
 */
function bars(values) {
  const highest = Math.max(1e-9, ...values);
  const width = 100 / Math.max(values.length, 12);
  return values.map((value, i) => {
    const height = (BAR_HEIGHT * value) / highest;
    return ['rect', { x: i * width + width * 0.1, width: width * 0.8, y: CHART_HEIGHT - height, height }];
  });
}
