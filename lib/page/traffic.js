'use strict';

// What this server sent and received, as facts.

/** Called at each tick too, because the text has durations. @param {Status} status */
function renderTraffic(status) {
  const { exchanges, startedAt, version, interval, lastOut, lastIn } = status;
  const { out, in: received, bytes } = exchanges;
  const refused = received.rejected + received.invalid + received.limited;
  const data = (/** @type {'sent' | 'received'} */ direction) =>
    formatBytes(bytes.out[direction] + bytes.in[direction]);
  showFacts(byId('traffic'), {
    clustershazbot: version,
    'Running for': durationSince(startedAt),
    'Gossip interval': `${interval} s`,
    'Requests sent': `${formatCount(out.answered)} answered${failuresText(out)}`,
    'Answers came': answerTimes(exchanges.durations),
    'Requests received': `${formatCount(received.answered)} answered${refused > 0 ? `, ${formatCount(refused)} refused` : ''}`,
    'Last request': `sent ${timeSince(lastOut?.at)}, received ${timeSince(lastIn?.at)}`,
    Data: `${data('sent')} sent, ${data('received')} received`,
  });
}

/** @param {Status['exchanges']['out']} out */
function failuresText({ refused, timedOut, unreachable, rejected, failed }) {
  const failures = {
    'connection refused': refused,
    'timed out': timedOut,
    unreachable,
    'secret rejected': rejected,
    'failed otherwise': failed,
  };
  const texts = Object.entries(failures).flatMap(([name, count]) =>
    count > 0 ? [`, ${formatCount(count)} ${name}`] : [],
  );
  return texts.join('');
}

/**
 * @param {Status['exchanges']['durations']} durations
 */
function answerTimes({ counts, le }) {
  const total = counts.reduce((a, b) => a + b, 0);
  const within = (/** @type {number} */ share) => {
    let below = 0;
    const place = counts.findIndex((count) => {
      below += count;
      return below >= total * share;
    });
    return place < le.length
      ? `within ${formatDuration(le[place] * 1000)}`
      : `after more than ${formatDuration(le[le.length - 1] * 1000)}`;
  };
  return total === 0 ? 'not yet' : `half ${within(0.5)}, 99 % ${within(0.99)}`;
}

/** @param {number} count */
const formatCount = (count) => count.toLocaleString('en');

/** @param {number} bytes */
const formatBytes = (bytes) => (bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
