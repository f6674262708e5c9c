'use strict';

// The parts of docs/peers.md that are not measured: a conclusion, and what each of the other programs does better than
// clustershazbot. Compare them with the tables after each run.

const conclusion = `**In short.** A process ends: ours and Moleculer mostly know within a second, because the system closes its
connections. Serf and foca probe, and need about 6 s. A process hangs or a host is unplugged: Serf and foca know in about 6 s, for
the fewest bytes. Ours needs about half a minute at its default interval, and comes below 6 s only with many times their
bytes. Moleculer's TCP transporter does not notice.`;

const strengths = `### Serf

- Runs beside a program in any language, without a change of the program.
- Sends custom events to all members, asks queries and collects the answers, and runs scripts on changes.
- Encrypts its gossip with a shared key over UDP, and changes keys while running. Ours needs https to encrypt.
- Has run in production since 2013. Its failure detector, memberlist, is the one that Consul and Nomad use; Lifeguard keeps
  members that are slow themselves from listing others as failed.
- A snapshot lets an agent join again after a restart; mDNS finds others without a list.
- Estimates the round-trip time between members with network coordinates.
- Finds a hung process or an unplugged host sooner than ours at 30 s and at 2 s, for fewer bytes than the latter.

### Moleculer

- Is a whole framework: services, remote calls with load balancing, retries and circuit breakers, events, caching, tracing.
  Membership is a small part of it. Ours adds only calls to one server and the choice of an owner.
- Has other transporters (NATS, Redis, Kafka, MQTT, AMQP) where a broker is at hand, with heartbeats: by default a hung process
  is found after 30 to 60 s, by its documentation.
- Finds others on a local network by UDP multicast, without a list.
- Notices a process that ends about as soon as ours, for fewer bytes.

### chitchat

- Each member has key-value pairs that all others read, of almost 64 kB each and as many as it likes: Scuttlebutt
  reconciliation transfers only what has changed. Keys can expire. Our tags hold 512 bytes.
- Its phi accrual failure detector adapts to the intervals that it observes: no timeout to choose for a network.
- Quickwit is built on it. A library in Rust, with transports and a rule for who is live of the program's own.

### foca

- Is a library without a runtime, a clock or sockets: it runs on any transport, on embedded systems too (\`no_std\`).
- Costs least: a server needs a few megabytes, and hardly any CPU time.
- Finds a hung process or an unplugged host about as soon as Serf, for fewer bytes than any other here.
- Custom broadcasts travel with its gossip, and identities are any type of the program, with a policy for conflicts.
- Its settings can follow memberlist's (\`Config::new_lan\`), and most can be changed while running, as a cluster grows.
`;

module.exports = { conclusion, strengths };
