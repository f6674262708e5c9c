'use strict';

// The parts of docs/peers.md that are not measured: a conclusion, and what each of the other programs does better than
// clustershazbot. Compare them with the tables after each run.

const conclusion = `**In short.** A process ends: ours and Moleculer mostly know within a second, because the system closes its connections,
unless a proxy in front of the servers keeps them open. chitchat needs 3 to 4 s, Serf and foca mostly 5 to 10 s.

A process hangs or a host is unplugged: chitchat knows in 3 to 4 s. Serf and foca need 6 to 9 s, and send far less than chitchat.
Ours needs 18 to 25 s at 30 s, the default interval, and sends less than all but foca. It needs 7 to 11 s at 2 s, and sends six times
as much as Serf; 4 to 5 s at 0.5 s, and sends over twice as much as chitchat. Moleculer's TCP transporter mostly does not notice.`;

const strengths = `### Serf

- Runs beside a program in any language, without a change of the program.
- Sends custom events to all members, asks queries and collects the answers, and runs scripts on changes.
- Encrypts its gossip with a shared key over UDP, and changes keys while running. Ours needs https to encrypt.
- Has run in production since 2013. Its failure detector, memberlist, is the one that Consul and Nomad use; Lifeguard keeps
  members that are slow themselves from listing others as failed.
- A snapshot lets an agent join again after a restart; mDNS finds others without a list.
- Estimates the round-trip time between members with network coordinates.
- Finds a hung process or an unplugged host sooner than ours at 30 s, and about as soon as ours at 2 s, for fewer bytes.

### Moleculer

- Is a whole framework: services, remote calls with load balancing, retries and circuit breakers, events, caching, tracing.
  Membership is a small part of it. Ours adds only calls to one server and the choice of an owner.
- Has other transporters (NATS, Redis, Kafka, MQTT, AMQP) where a broker is at hand, with heartbeats: by default a hung process
  is found after 30 to 60 s, by its documentation.
- Finds others on a local network by UDP multicast, without a list.
- Notices a process that ends about as soon as ours.

### chitchat

- Each member has key-value pairs that all others read, of almost 64 kB each and as many as it likes: Scuttlebutt
  reconciliation transfers only what has changed. Keys can expire. Our tags hold 512 bytes.
- Its phi accrual failure detector adapts to the intervals that it observes: no timeout to choose for a network.
- Finds a hung process or an unplugged host soonest of all here, with rounds of 500 ms.
- Quickwit is built on it. A library in Rust, with transports and a rule for who is live of the program's own.

### foca

- Is a library without a runtime, a clock or sockets: it runs on any transport, on embedded systems too (\`no_std\`).
- Sends the fewest bytes, and needs 3 MB of memory.
- Finds a hung process or an unplugged host about as soon as Serf, for fewer bytes.
- Custom broadcasts travel with its gossip, and identities are any type of the program, with a policy for conflicts.
- Its settings can follow memberlist's (\`Config::new_lan\`), and most can be changed while running, as a cluster grows.
`;

module.exports = { conclusion, strengths };
