//! Tests that two servers can write one list at the same time on a real store. `__test__/stores.test.js` runs it.

use std::sync::Arc;
use std::time::Duration;

use super::http::{ClientFactory, TlsFiles};
use super::list_http::ListClient;
use super::list_store::{Content, ListStore};
use super::list_update::ListUpdate;
use super::random_seed;
use super::shared::Shared;
use super::workers::Workers;
use crate::clock::Clock;
use crate::config::{Config, Environment, Location};
use crate::protocol::Action;

/// How many times faster than real time the cores run.
const SPEED: u32 = 1_000;
/// How long a race lasts, in the cores' time.
const RACE: Duration = Duration::from_secs(90);
/// The least number of reads of each server, even if the machine stalls during the race: the first, to write, to read
/// the write back, and one more.
const READS: u32 = 4;

fn shared(base_url: &str) -> Shared {
    let mut environment: Environment =
        std::env::vars().filter(|(name, _)| name.starts_with("SHAZBOT_MASTER")).collect();
    for (name, value) in [
        ("SHAZBOT_SECRET", "a gossip secret of a test"),
        ("SHAZBOT_CONTROL_SECRET", "a control secret of a test"),
        ("SHAZBOT_BASE_URL", base_url),
    ] {
        environment.insert(name.into(), value.into());
    }
    let config = Config::from_environment(&environment).expect("the store's variables");
    Shared::new(config, Box::new(|_| {}), Box::new(|_, _| {}), Clock::fast(SPEED), random_seed())
}

// No peer answers, so the servers know each other only from the list.
async fn run(shared: &Shared, client: &ListClient, store: &ListStore) {
    let mut reads = 0;
    loop {
        let outcome = shared.core.with(|core, now| {
            core.handle_heartbeat(now);
            core.handle_timeout(now);
            let actions: Vec<_> = std::iter::from_fn(|| core.poll_action()).collect();
            (now, actions, core.poll_timeout().map_or(RACE, |at| at.saturating_sub(now.mono)))
        });
        let (now, actions, next) = outcome.expect("it works");
        for action in actions {
            if let Action::SyncList { id, write, if_changed, timeout, .. } = action {
                reads += 1;
                ListUpdate { id, write, if_changed, timeout }.run(shared, client, store).await.expect("it works");
            }
        }
        if now.mono > RACE && reads >= READS {
            return;
        }
        tokio::time::sleep(next / SPEED).await;
    }
}

async fn race(number: usize) {
    let [one, other] = ["one", "other"].map(|name| shared(&format!("http://{name}-{number}.test/")));
    let lists = &one.config.master_lists;
    let workers = Arc::new(Workers::start("test").expect("a thread"));
    let (factory, _) = ClientFactory::new(&one.config.network, &workers, TlsFiles::default()).expect("no proxies");
    let client = ListClient::new(&factory, lists).expect("a client");
    let store = || ListStore::new(lists.lists[0].clone(), &workers);
    let Some(Location::Http(url)) = &lists.lists[0].write else { panic!("the list is in a file") };
    let empty = client.put(url, None, br#"{"online":[]}"#.to_vec(), RACE).await;
    assert!(empty.is_ok(), "an empty list");
    let stores = [store(), store()];
    tokio::join!(run(&one, &client, &stores[0]), run(&other, &client, &stores[1]));
    let Ok(Content { json: Some(json), .. }) = store().read(&client, false, false, RACE).await else {
        panic!("the list cannot be read");
    };
    let json = String::from_utf8(json).expect("text");
    assert!(json.contains("one-") && json.contains("other-"), "race {number}: {json}");
}

#[test]
#[ignore = "needs a store"]
fn no_server_is_lost_when_two_write_at_the_same_time() {
    let races =
        std::env::var("SHAZBOT_TEST_RACES").ok().and_then(|races| races.parse().ok()).expect("a number of races");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for number in 0..races {
        runtime.block_on(race(number));
    }
}
