//! Two servers that write one list at the same time, on a real store: `__test__/stores.test.js` runs this.

use super::http::Http;
use super::master_list::{Sync, sync};
use super::store::{Content, Store};
use super::*;
use crate::config::{Environment, Location};

/// How much faster than a clock the cores' time goes by.
const SPEED: u32 = 1_000;
/// How long a race goes on, of their time, and how often each reads the list at least, on a machine that stood still
/// meanwhile: first, to write it, to look whether that was taken, and once more.
const RACE: Duration = Duration::from_secs(90);
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
    let clock = Clock::fast(SPEED);
    Shared {
        inner: Mutex::new(Inner {
            core: Core::new(&config.settings, clock.now(), random_seed()),
            notices: Vec::new(),
            events: Vec::new(),
        }),
        meter: Meter::default(),
        secrets: Secrets::of(&config),
        clock,
        config,
        wake: Notify::new(),
        stop: AtomicBool::new(false),
        failed: AtomicBool::new(false),
        waiting: Mutex::new(Waiting { started: None, left: None }),
    }
}

// Nobody answers it, so that it knows of the other from the list alone.
async fn run(shared: &Shared, http: &Http, store: &Store) {
    let mut reads = 0;
    loop {
        let now = shared.clock.now();
        let outcome = shared.with_core(|core, now| {
            core.handle_heartbeat(now);
            core.handle_timeout(now);
            let actions: Vec<_> = std::iter::from_fn(|| core.poll_action()).collect();
            (actions, core.poll_timeout().map_or(RACE, |at| at.saturating_sub(now.mono)))
        });
        let (actions, next) = outcome.expect("it works");
        for action in actions {
            if let Action::SyncList { id, write, if_changed, timeout, .. } = action {
                reads += 1;
                sync(shared, http, store, Sync { id, write, if_changed, timeout }).await.expect("it works");
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
    let (http, _) = Http::new(&one.config).expect("clients");
    let store = || Store::new(one.config.master_lists.lists[0].clone());
    let Location::Http(url) = &one.config.master_lists.lists[0].write else { panic!("the store is no file") };
    let empty = http.lists.put(url, None, br#"{"online":[]}"#.to_vec(), RACE).await;
    assert!(empty.is_ok(), "an empty list");
    let stores = [store(), store()];
    tokio::join!(run(&one, &http, &stores[0]), run(&other, &http, &stores[1]));
    let Ok(Content { json: Some(json), .. }) = store().read(&http, false, false, RACE).await else {
        panic!("the list cannot be read");
    };
    let json = String::from_utf8(json).expect("text");
    assert!(json.contains("one-") && json.contains("other-"), "race {number}: {json}");
}

#[test]
#[ignore = "needs a store"]
fn neither_of_two_writers_is_lost() {
    let races =
        std::env::var("SHAZBOT_TEST_RACES").ok().and_then(|races| races.parse().ok()).expect("a number of races");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for number in 0..races {
        runtime.block_on(race(number));
    }
}
