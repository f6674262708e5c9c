//! The environment: lines `NAME=value` that change a valid one. A line `? <url>` is a base URL that a peer names.

#![no_main]

use clustershazbot::address;
use clustershazbot::config::{Config, Environment};
use clustershazbot_fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use url::Url;

const VALID: [(&str, &str); 6] = [
    ("SHAZBOT_SECRET", "a secret of gossip"),
    ("SHAZBOT_CONTROL_SECRET", "a secret of control"),
    ("SHAZBOT_BASE_URL", "https://own/"),
    ("SHAZBOT_MASTER_LIST", "https://store/list.json"),
    ("SHAZBOT_MASTER_LIST_UPDATE", "https://store/list.json"),
    ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", "Bearer x"),
];
/// Part of each secret and of nothing else, so that it shows where a secret leaks.
const MARK: &str = "hunter2";

fuzz_target!(|text: &str| {
    if text.contains(MARK) {
        return;
    }
    let mut environment: Environment = VALID.map(|(name, value)| (name.into(), value.into())).into();
    for line in text.split('\n') {
        if let Some((name, value)) = line.split_once('=') {
            environment.insert(name.into(), value.into());
        }
    }
    for (name, value) in &mut environment {
        if name.contains("SECRET") || name.ends_with("_AUTH") && name.starts_with("SHAZBOT_MASTER") {
            value.push_str(MARK);
        }
    }
    bounded(text.as_bytes(), || drop(Config::from_environment(&environment)));
    match Config::from_environment(&environment) {
        Err(error) => assert!(!format!("{error} {error:?}").contains(MARK)),
        Ok(config) => {
            assert!(!format!("{config:?}").contains(MARK));
            assert!((0.1..=3600.0).contains(&config.settings.interval.as_secs_f64()));
            let own = &config.settings.base_url;
            assert_eq!(config.origins.parse(own.as_str()).as_ref(), Ok(own));
            text.split('\n').filter_map(|line| line.strip_prefix("? ")).for_each(|named| check(named, &config));
        }
    }
});

fn check(named: &str, config: &Config) {
    let Ok(server) = config.origins.parse(named) else { return };
    assert_eq!(config.origins.parse(server.as_str()), Ok(server.clone()));
    let url = Url::parse(server.as_str()).expect("a URL");
    if let Some(address) = address::of_url(&url) {
        assert!(!address::is_forbidden(address), "{url}");
    }
}
