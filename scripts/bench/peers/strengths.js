'use strict';

// The part of docs/peers.md that is not measured: what each of the other programs does better than clustershazbot.

const strengths = `### Serf

- Runs beside a program in any language, without a change of the program.
- Sends custom events to all members, asks queries and collects the answers, and runs scripts on changes.
- Encrypts its gossip with a shared key over UDP, and changes keys while running. Ours needs https to encrypt.
- Has run in clusters of thousands of machines for ten years. Its failure detector, memberlist with Lifeguard, is the one
  that Consul and Nomad use.
- Estimates the round-trip time between members with network coordinates.
- Finds a hung process or an unplugged host sooner than ours at the default interval.

### Moleculer

- Is a whole framework: services, remote calls with load balancing, retries and circuit breakers, events, caching, tracing.
  Membership is a small part of it, ours does nothing else.
- Has other transporters (NATS, Redis, Kafka, MQTT, AMQP) where a broker is at hand, with heartbeats that find hung processes.
- Finds others on a local network by UDP multicast, without a list.

### chitchat

- Each member has a key-value state of any size, which all others read: Scuttlebutt reconciliation transfers only what has
  changed. Our tags hold 512 bytes.
- Its phi accrual failure detector adapts to the intervals that it observes, and needs no timeout to be chosen for a network.
- Quickwit uses it to search over clusters that start and stop all the time. A native library in Rust for programs in Rust.

### foca

- Is a library without a runtime, a clock or sockets: it runs on any transport, on embedded systems too (\`no_std\`).
- Costs least: a server needs a few megabytes, and hardly any CPU time.
- Custom broadcasts travel with its gossip, and identities are any type of the program, with a policy for conflicts.
- Its settings follow memberlist's, and can be changed while running.
`;

module.exports = { strengths };
