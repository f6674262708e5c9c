'use strict';

// A DNS server for tests, in a process of its own: answers A, AAAA and SRV questions over UDP and TCP, as its parent orders.

const { createSocket } = require('node:dgram');
const { createServer } = require('node:net');

/** @typedef {{ A?: string[], AAAA?: string[], SRV?: { name: string, port: number }[] }} Records */

/** @type {Record<string, Records>} by name; any other name does not exist */
let zone = {};
/** @type {'answer' | 'fail' | 'silent'} */
let mode = 'answer';

const [A, AAAA, SRV] = [1, 28, 33];
const [SERVFAIL, NXDOMAIN] = [2, 3];
/** The longest answer over UDP. */
const MAX_UDP = 512;

/** @param {string} name */
const encodeName = (name) =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.from([0]),
  ]);

/** @param {string} address with all eight groups */
const ipv6 = (address) =>
  Buffer.from(
    address
      .split(':')
      .map((group) => group.padStart(4, '0'))
      .join(''),
    'hex',
  );

/** @param {Records} records @param {number} type */
function dataOf({ A: a = [], AAAA: aaaa = [], SRV: srv = [] }, type) {
  if (type === A) return a.map((address) => Buffer.from(address.split('.').map(Number)));
  if (type === AAAA) return aaaa.map(ipv6);
  if (type !== SRV) return [];
  return srv.map(({ name, port }) =>
    Buffer.concat([Buffer.from([0, 0, 0, 0, port >> 8, port & 255]), encodeName(name)]),
  );
}

/**
 * @param {Buffer} query
 * @param {number} most bytes
 * @returns {Buffer | undefined} undefined: no answer at all
 */
function answer(query, most) {
  if (mode === 'silent') return undefined;
  const labels = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = query.readUInt16BE(at + 1);
  const records = zone[labels.join('.').toLowerCase()];
  const data = records && mode === 'answer' ? dataOf(records, type) : [];
  const code = mode === 'fail' ? SERVFAIL : records ? 0 : NXDOMAIN;
  const answers = data.map((bytes) => {
    // The name is that of the question; the record may be kept for no time.
    const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, bytes.length >> 8, bytes.length & 255]);
    return Buffer.concat([head, bytes]);
  });
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  const whole = Buffer.concat([header, query.subarray(12, at + 5), ...answers]);
  if (whole.length <= most) return whole;
  // Truncated: the client must ask again over TCP.
  header.writeUInt16BE(0x8380, 2);
  header.writeUInt16BE(0, 6);
  return Buffer.concat([header, query.subarray(12, at + 5)]);
}

const udp = createSocket('udp4');
udp.on('message', (query, { port, address }) => {
  const response = answer(query, MAX_UDP);
  if (response) udp.send(response, port, address);
});
const tcp = createServer((socket) => {
  socket.on('error', () => {});
  let waiting = Buffer.alloc(0);
  socket.on('data', (bytes) => {
    waiting = Buffer.concat([waiting, bytes]);
    // A query over TCP has its length before it; clients send several on one connection.
    while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE()) {
      const end = 2 + waiting.readUInt16BE();
      const response = answer(waiting.subarray(2, end), 65_535);
      waiting = waiting.subarray(end);
      if (response) socket.write(Buffer.concat([Buffer.from([response.length >> 8, response.length & 255]), response]));
    }
  });
});

process.on('message', (/** @type {{ zone?: typeof zone, mode?: typeof mode }} */ order) => {
  zone = order.zone ?? zone;
  mode = order.mode ?? mode;
  process.send?.('done');
});
process.on('disconnect', () => process.exit(0));

udp.bind(53, '127.0.0.1', () => tcp.listen(53, '127.0.0.1', () => process.send?.('listening')));
