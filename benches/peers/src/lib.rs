//! What the programs around other membership libraries share: their arguments, their orders and what they print.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};

/// The port of every server: each has an address of its own.
pub const PORT: u16 = 3000;

/// The arguments of a program: `ADDRESS CLUSTER-SIZE SEED-ADDRESS...`
pub struct Arguments {
    /// Where this server listens, and what the others call it.
    pub own: SocketAddr,
    /// How many servers the cluster has.
    pub size: u32,
    /// The servers to contact first.
    pub seeds: Vec<SocketAddr>,
}

impl Arguments {
    /// Reads the arguments of this process.
    pub fn read() -> anyhow::Result<Self> {
        let mut given = std::env::args().skip(1);
        let mut next = || given.next().context("needs ADDRESS CLUSTER-SIZE SEED-ADDRESS...");
        let (own, size) = (address(&next()?)?, next()?.parse()?);
        let seeds = given.map(|seed| address(&seed)).collect::<Result<_, _>>()?;
        Ok(Self { own, size, seeds })
    }
}

fn address(text: &str) -> anyhow::Result<SocketAddr> {
    Ok(SocketAddr::new(text.parse()?, PORT))
}

/// Prints `online ADDRESS` or `offline ADDRESS` for each server that was added to or removed from the list.
pub fn print_changes(listed: &mut BTreeSet<IpAddr>, now: BTreeSet<IpAddr>) {
    for address in now.difference(listed) {
        println!("online {address}");
    }
    for address in listed.difference(&now) {
        println!("offline {address}");
    }
    *listed = now;
}

/// An order of the benchmark.
pub enum Order {
    /// Leave the cluster, then exit.
    Leave,
    /// Exit without a leave. Also if standard input ends, because the benchmark has ended then.
    Exit,
}

/// The orders on standard input.
pub struct Orders(Lines<BufReader<Stdin>>);

impl Orders {
    /// Opens standard input.
    pub fn open() -> Self {
        Self(BufReader::new(stdin()).lines())
    }

    /// The next order.
    pub async fn next(&mut self) -> anyhow::Result<Order> {
        Ok(match self.0.next_line().await?.as_deref() {
            Some("leave") => Order::Leave,
            _ => Order::Exit,
        })
    }
}

/// Milliseconds since the epoch: larger at each start of a server.
pub fn now() -> anyhow::Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}
