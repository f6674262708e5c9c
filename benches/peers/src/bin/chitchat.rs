//! A server with chitchat's list of members, in the settings of chitchat's own test server.

use std::collections::BTreeSet;
use std::time::Duration;

use chitchat::transport::UdpTransport;
use chitchat::{ChitchatConfig, ChitchatId, FailureDetectorConfig, ProtocolVersion, spawn_chitchat};
use clustershazbot_peers::{Arguments, Order, Orders, now, print_changes};

const GOSSIP: Duration = Duration::from_millis(500);
/// The key of a server that leaves.
const LEFT: &str = "left";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { own, seeds, .. } = Arguments::read()?;
    let config = ChitchatConfig {
        chitchat_id: ChitchatId::new(own.ip().to_string(), now()?, own),
        cluster_id: String::from("benchmark"),
        gossip_interval: GOSSIP,
        listen_addr: own,
        seed_nodes: seeds.iter().map(ToString::to_string).collect(),
        failure_detector_config: FailureDetectorConfig::default(),
        marked_for_deletion_grace_period: Duration::from_secs(15 * 60),
        catchup_callback: None,
        extra_liveness_predicate: Some(Box::new(|server| !server.contains_key(LEFT))),
        protocol_version: ProtocolVersion::V1,
    };
    let handle = spawn_chitchat(config, Vec::new(), &UdpTransport).await?;
    let mut live = handle.with_chitchat(|it| it.live_nodes_watcher()).await;
    let mut listed = BTreeSet::from([own.ip()]);
    let mut orders = Orders::open();
    loop {
        tokio::select! {
            changed = live.changed() => {
                changed?;
                // A server that started again has a second entry until the first one is dead.
                let mut now: BTreeSet<_> = live.borrow_and_update().keys().map(|id| id.gossip_advertise_addr.ip()).collect();
                now.insert(own.ip());
                print_changes(&mut listed, now);
            }
            order = orders.next() => match order? {
                // The protocol has no message for a leave: as Quickwit does, set a key and wait for two rounds.
                Order::Leave => {
                    handle.with_chitchat(|it| it.self_node_state().set(LEFT, "yes")).await;
                    tokio::time::sleep(2 * GOSSIP).await;
                    return handle.shutdown().await;
                }
                Order::Exit => std::process::exit(3),
            },
        }
    }
}
