//! Several cores that send each other messages.

use std::collections::BTreeMap;

use super::*;

/// Servers whose messages arrive at once, unless the network between the two is cut.
struct Cluster {
    servers: BTreeMap<ServerUrl, Server>,
    is_cut: fn(&ServerUrl, &ServerUrl) -> bool,
}

impl Cluster {
    fn new(names: &[&str]) -> Self {
        let mut servers = BTreeMap::new();
        for (seed, name) in names.iter().enumerate() {
            let core = Core::new(&settings(name), at(0), seed as u64);
            let seeds = names.iter().map(|name| entry(name, ONLINE, WALL, None)).collect();
            let mut server = Server { core, now: at(0), list_request: 0 };
            server.take_actions();
            server.on_list_read(Ok(Message::new(seeds)));
            servers.insert(url(name), server);
        }
        Self { servers, is_cut: |_, _| false }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            for from in self.servers.keys().cloned().collect::<Vec<_>>() {
                let Some(server) = self.servers.get_mut(&from) else {
                    continue;
                };
                for action in server.tick() {
                    let Action::Gossip { id, to, message, .. } = action else {
                        continue;
                    };
                    let answer = match self.servers.get_mut(&to) {
                        Some(peer) if !(self.is_cut)(&from, &to) => Ok(peer.core.handle_gossip(peer.now, &message)),
                        _ => Err(ExchangeError::Other("cut off".into())),
                    };
                    let Some(server) = self.servers.get_mut(&from) else {
                        continue;
                    };
                    server.core.handle_response(server.now, id, answer);
                }
            }
        }
    }

    fn online(&self, name: &str) -> Vec<String> {
        let online = self.servers[&url(name)].core.members().entries().filter(|it| it.state == ONLINE);
        online.map(|it| it.url.to_string()).collect()
    }
}

#[test]
fn a_partition_of_an_hour_heals_automatically() {
    let mut cluster = Cluster::new(&["a", "b", "c", "d"]);
    cluster.run(120);
    assert_eq!(cluster.online("a").len(), 4);
    cluster.is_cut = |from, to| (*from < url("c")) != (*to < url("c"));
    cluster.run(3_600);
    assert_eq!(cluster.online("a").len(), 2);
    assert_eq!(cluster.online("d").len(), 2);
    cluster.is_cut = |_, _| false;
    cluster.run(240);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(cluster.online(name).len(), 4, "{name}");
    }
}

#[test]
fn a_killed_server_stays_offline() {
    let mut cluster = Cluster::new(&["a", "b", "c", "d", "e"]);
    cluster.run(300);
    cluster.servers.remove(&url("e"));
    cluster.run(900);
    for _ in 0..100 {
        for name in ["a", "b", "c", "d"] {
            assert_eq!(cluster.online(name).len(), 4, "{name}");
        }
        cluster.run(30);
    }
}
