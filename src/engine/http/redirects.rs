//! The redirect policies for stores of master lists.

use std::net::IpAddr;

use reqwest::Url;
use reqwest::redirect::{Action, Attempt, Policy};

use crate::address;

/// Most redirects that are followed, as by Node's `fetch`.
const MAX_REDIRECTS: usize = 20;

/// For reads. reqwest removes the `Authorization` header when a redirect leaves the origin.
pub fn to_lists() -> Policy {
    Policy::custom(|attempt| follow(attempt, reason_against))
}

/// For writes. A redirect to another origin would send the header and the list to somebody else.
pub fn within_origin() -> Policy {
    Policy::custom(|attempt| {
        follow(attempt, |previous, next| {
            let is_other = previous.first().is_some_and(|first| first.origin() != next.origin());
            if is_other { Some("the store redirects to another origin") } else { reason_against(previous, next) }
        })
    })
}

/// Why a list must not be read from the last of these URLs, after redirects from those before it. `addresses`: those of
/// its name. For `doctor`, which reads lists without an engine.
pub fn reason_against_list(urls: &[Url], addresses: &[IpAddr]) -> Option<&'static str> {
    let (next, previous) = urls.split_last()?;
    let may_be_loopback = previous.first().unwrap_or(next);
    let is_allowed = |address: &IpAddr| {
        let is_elsewhere = !address::is_loopback_host(may_be_loopback) && next.host() != may_be_loopback.host();
        !(address::is_forbidden(*address) || address::is_loopback(*address) && is_elsewhere)
    };
    let reason = if previous.is_empty() { None } else { reason_against(previous, next) };
    let is_refused = !addresses.is_empty() && !addresses.iter().any(is_allowed);
    reason.or(is_refused.then_some("its name resolves to an address where no list may be"))
}

fn follow(attempt: Attempt<'_>, reason_against: impl Fn(&[Url], &Url) -> Option<&'static str>) -> Action {
    match reason_against(attempt.previous(), attempt.url()) {
        Some(reason) => attempt.error(reason),
        None => attempt.follow(),
    }
}

// Why a redirect is not followed. `previous` has the URLs so far, the configured one first. The addresses of names are
// checked by the resolver, and reqwest follows only http and https.
fn reason_against(previous: &[Url], next: &Url) -> Option<&'static str> {
    let is_loopback = previous.first().is_some_and(address::is_loopback_host);
    if previous.len() > MAX_REDIRECTS {
        Some("too many redirects")
    } else if next.scheme() == "http" && previous.iter().any(|url| url.scheme() == "https") {
        Some("the store redirects from https to http")
    } else if address::of_url(next).is_some_and(address::is_forbidden) {
        Some("the store redirects to an address that is link-local, multicast or a cloud's metadata service")
    } else if address::is_loopback_host(next) && !is_loopback {
        Some("the store redirects to a loopback address")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_followed_only_to_an_allowed_address() {
        for (from, to, refused) in [
            ("https://a/list", "https://b/list", None),
            ("http://a/list", "https://a/list", None),
            ("http://a/list", "http://10.0.0.1/list", None),
            ("http://127.0.0.1:1/list", "http://localhost:2/list", None),
            ("https://a/list", "http://a/list", Some("from https to http")),
            ("http://a/list", "http://169.254.169.254/latest/meta-data/", Some("metadata")),
            ("http://127.0.0.1/list", "http://169.254.169.254/latest/meta-data/", Some("metadata")),
            ("http://a/list", "http://[fd00:ec2::254]/", Some("metadata")),
            ("http://a/list", "http://[64:ff9b:1::a9fe:a9fe]/", Some("metadata")),
            ("http://a/list", "http://127.0.0.1:6379/", Some("loopback")),
            ("http://a/list", "http://localhost/", Some("loopback")),
        ] {
            let url = |text: &str| Url::parse(text).expect(text);
            let reason = reason_against(&[url(from)], &url(to));
            match (reason, refused) {
                (None, None) => {}
                (Some(reason), Some(part)) => assert!(reason.contains(part), "{to}: {reason}"),
                _ => panic!("{from} {to}: {reason:?}"),
            }
        }
        let many: Vec<_> = (0..=MAX_REDIRECTS).map(|_| Url::parse("http://a/").expect("valid")).collect();
        assert_eq!(reason_against(&many, &many[0]), Some("too many redirects"));
        let upgraded = ["http://a/", "https://a/"].map(|it| Url::parse(it).expect(it));
        assert!(reason_against(&upgraded, &upgraded[0]).is_some(), "back from https to http");
    }

    #[test]
    fn a_redirect_to_a_name_is_followed_unless_all_its_addresses_are_forbidden() {
        for (urls, addresses, is_refused) in [
            (&["http://a/"][..], &["127.0.0.1"][..], false),
            (&["http://a/"], &["169.254.169.254"], true),
            (&["http://a/", "http://b/"], &["10.0.0.1"], false),
            (&["http://a/", "http://b/"], &["127.0.0.1"], true),
            (&["http://a/", "http://a/b"], &["127.0.0.1"], false),
            (&["http://localhost/", "http://b/"], &["127.0.0.1"], false),
            (&["http://a/", "http://b/"], &["169.254.169.254", "10.0.0.1"], false),
            (&["https://a/", "http://b/"], &["10.0.0.1"], true),
            (&["http://a/", "http://169.254.169.254/"], &[], true),
        ] {
            let parsed: Vec<_> = urls.iter().map(|it| Url::parse(it).expect(it)).collect();
            let ips: Vec<_> = addresses.iter().map(|it| it.parse().expect(it)).collect();
            assert_eq!(reason_against_list(&parsed, &ips).is_some(), is_refused, "{urls:?} {addresses:?}");
        }
    }
}
