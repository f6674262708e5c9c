//! A server with foca's list of members over UDP, built as foca's example of an agent is, without its custom broadcasts.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::Context;
use clustershazbot_peers::{Arguments, Order, Orders, now, print_changes};
use foca::{AccumulatingRuntime, Config, Foca, Identity, NoCustomBroadcast, PostcardCodec, Timer};
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::net::UdpSocket;
use tokio::time::{Instant, interval, sleep_until};

/// How often a server that knows nobody contacts its seeds.
const JOIN_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Id {
    addr: SocketAddr,
    /// Rises at each start and each rejoin.
    bump: u64,
}

impl Identity for Id {
    type Addr = SocketAddr;

    fn renew(&self) -> Option<Self> {
        Some(Self { bump: self.bump + 1, ..*self })
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.bump > adversary.bump
    }
}

struct Server {
    own: IpAddr,
    foca: Foca<Id, PostcardCodec, StdRng, NoCustomBroadcast>,
    runtime: AccumulatingRuntime<Id>,
    socket: UdpSocket,
    timers: BinaryHeap<Reverse<(Instant, Timer<Id>)>>,
    listed: BTreeSet<IpAddr>,
}

impl Server {
    async fn start(own: SocketAddr, config: Config) -> anyhow::Result<Self> {
        let id = Id { addr: own, bump: now()? };
        Ok(Self {
            own: own.ip(),
            foca: Foca::new(id, config, rand::make_rng(), PostcardCodec),
            runtime: AccumulatingRuntime::new(),
            socket: UdpSocket::bind(own).await?,
            timers: BinaryHeap::new(),
            listed: BTreeSet::from([own.ip()]),
        })
    }

    /// Contacts the seeds while no other server is known.
    async fn join(&mut self, seeds: &[SocketAddr]) {
        if self.foca.num_members() > 0 {
            return;
        }
        for &addr in seeds {
            // The seed replaces this identity by its own, which is newer.
            let result = self.foca.announce(Id { addr, bump: 0 }, &mut self.runtime);
            self.carry_out(result).await;
        }
    }

    /// Sends and schedules what foca has asked for, and prints what has changed in its list.
    async fn carry_out(&mut self, result: Result<(), foca::Error>) {
        if let Err(error) = result {
            eprintln!("foca: {error}");
        }
        while let Some((to, data)) = self.runtime.to_send() {
            // Lost, like any packet that is lost on the way.
            let _ = self.socket.send_to(&data, to.addr).await;
        }
        let now = Instant::now();
        while let Some((delay, timer)) = self.runtime.to_schedule() {
            self.timers.push(Reverse((now + delay, timer)));
        }
        let mut has_changed = false;
        while self.runtime.to_notify().is_some() {
            has_changed = true;
        }
        if has_changed {
            let members = self.foca.iter_members().map(|member| member.id().addr.ip());
            print_changes(&mut self.listed, members.chain([self.own]).collect());
        }
    }

    async fn fire_timers(&mut self) {
        while let Some(Reverse((at, _))) = self.timers.peek()
            && *at <= Instant::now()
            && let Some(Reverse((_, timer))) = self.timers.pop()
        {
            let result = self.foca.handle_timer(timer, &mut self.runtime);
            self.carry_out(result).await;
        }
    }

    fn next_timer(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        self.timers.peek().map_or(far, |Reverse((at, _))| *at)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { own, size, seeds } = Arguments::read()?;
    let config = Config::new_lan(NonZeroU32::new(size).context("a cluster has servers")?);
    let mut packet = vec![0; config.max_packet_size.get()];
    let mut server = Server::start(own, config).await?;
    let mut orders = Orders::open();
    let mut join = interval(JOIN_AGAIN);
    loop {
        let next = server.next_timer();
        tokio::select! {
            received = server.socket.recv_from(&mut packet) => {
                // A refused connection of an earlier packet is reported here, too.
                let Ok((length, _)) = received else { continue };
                let result = server.foca.handle_data(&packet[..length], &mut server.runtime);
                server.carry_out(result).await;
            }
            () = sleep_until(next) => server.fire_timers().await,
            _ = join.tick() => server.join(&seeds).await,
            order = orders.next() => {
                if matches!(order?, Order::Leave) {
                    let result = server.foca.leave_cluster(&mut server.runtime);
                    server.carry_out(result).await;
                    return Ok(());
                }
                std::process::exit(3);
            }
        }
    }
}
