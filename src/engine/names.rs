//! Looks up DNS names, and asks for the base URL of the server at each place found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;
use url::Url;

use super::gossip_http::GossipClient;
use super::http::look_up;
use super::shared::Shared;
use super::workers::Workers;
use crate::auth::EMPTY_FIELD;
use crate::clock;
use crate::config::{DISCOVER, DnsName};
use crate::message::Message;
use crate::protocol::{ExchangeError, Place};
use crate::server_url::ServerUrl;

/// The hosts and ports in SRV records, or the error as text.
pub type Services = Result<Vec<(String, u16)>, String>;
/// Lets the program look up the SRV records of a name and call [`ServiceLookups::end`] with the number. The standard
/// library has no such function, and Node's resolver reads every system's configuration. For the name [`DISCOVER`], the
/// result is the URLs that the program's `discover` returned, each with the port 0.
pub type LookUpServices = Box<dyn Fn(u32, String) + Send + Sync>;

/// The program's lookups of SRV records under way.
pub struct ServiceLookups {
    look_up: LookUpServices,
    waiting: Mutex<(u32, BTreeMap<u32, oneshot::Sender<Services>>)>,
}

impl ServiceLookups {
    pub fn new(look_up: LookUpServices) -> Self {
        Self { look_up, waiting: Mutex::default() }
    }

    async fn services(&self, name: &str) -> Services {
        let (sender, receiver) = oneshot::channel();
        let number = {
            let mut waiting = self.waiting();
            // The program may never end some lookups.
            waiting.1.retain(|_, sender| !sender.is_closed());
            waiting.0 = waiting.0.wrapping_add(1);
            let number = waiting.0;
            waiting.1.insert(number, sender);
            number
        };
        (self.look_up)(number, name.to_owned());
        receiver.await.unwrap_or_else(|_| Err("the lookup was given up".into()))
    }

    /// A lookup ended.
    pub fn end(&self, number: u32, services: Services) {
        if let Some(sender) = self.waiting().1.remove(&number) {
            // Fails if nobody waits any more.
            let _ = sender.send(services);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, (u32, BTreeMap<u32, oneshot::Sender<Services>>)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The places that a name leads to.
pub async fn find_places(
    name: &DnsName,
    names: &Workers,
    services: &ServiceLookups,
    timeout: Duration,
) -> Result<Vec<Place>, String> {
    let find = async {
        if name.is_srv {
            let services = services.services(&name.name).await?;
            return Ok(services.iter().filter_map(|(host, port)| place_of(&name.url, host, *port)).collect());
        }
        let addresses = look_up(names, &name.name).await.map_err(|error| error.to_string())?;
        // The system returns each address once per protocol.
        let addresses: BTreeSet<_> = addresses.iter().map(|it| it.ip().to_canonical()).collect();
        Ok(addresses.into_iter().map(|it| Place { url: name.url.clone(), address: Some(it) }).collect())
    };
    clock::timeout(timeout, find).await.unwrap_or_else(|_| Err("no answer in time".into()))
}

// The place for an SRV target. None if there can be no server; the target `.` means that there is no such service.
fn place_of(url: &ServerUrl, host: &str, port: u16) -> Option<Place> {
    let mut url = Url::parse(url.as_str()).ok()?;
    url.set_host(Some(host.trim_end_matches('.'))).ok()?;
    url.set_port(Some(port)).ok()?;
    Some(Place { url: ServerUrl::parse(url.as_str()).ok()?, address: None })
}

/// The servers that the program's `discover` returned, as in a master list.
pub async fn discover(shared: &Shared, timeout: Duration) -> Result<Message, String> {
    let found = clock::timeout(timeout, shared.service_lookups.services(DISCOVER)).await;
    let found = found.unwrap_or_else(|_| Err("no answer in time".into()))?;
    let online: Vec<_> = found.iter().map(|(url, _)| json!({ "baseUrl": url })).collect();
    let list = json!({ "online": online }).to_string();
    let validator = shared.validator(shared.core.clock.now(), &|_| None);
    Message::from_master_list(list.as_bytes(), validator).map_err(|error| error.to_string())
}

/// Asks for the base URL of the server at a place. The answer is from a holder of our secret, and may be listed.
pub async fn identify(
    shared: &Shared,
    client: &GossipClient,
    place: &Place,
    timeout: Duration,
) -> Result<ServerUrl, ExchangeError> {
    let auth = &shared.config.peer_auth;
    let question = auth.question().map_err(|error| ExchangeError::Local(error.to_string()))?;
    let body = Message::default().to_json_with(Some(EMPTY_FIELD.into()));
    let _permit = client.permit(timeout, false).await?;
    let answer = client.send_to(place, &question.header, body, timeout).await?;
    let other = |text: String| ExchangeError::Other(text.into());
    let field = Message::field_of(&answer).map_err(|error| other(error.to_string()))?;
    let identity = field.as_deref().zip(question.nonce.as_deref());
    let identity = identity.and_then(|(field, nonce)| auth.read_identity(nonce, field));
    let (url, time) = identity.ok_or_else(|| other("what answers there is not a server with our secret".into()))?;
    let url = shared.config.origins.parse(url).map_err(|why| other(format!("{url} is there; {why}")))?;
    // Saves the first message a second attempt.
    shared.peer_times().learn(&url, time, shared.core.clock.now().mono);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(url: &str, is_srv: bool) -> DnsName {
        DnsName { url: ServerUrl::parse(url).expect(url), name: "localhost".into(), is_srv }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    fn find(name: &DnsName, services: &ServiceLookups, timeout: Duration) -> Result<Vec<String>, String> {
        let names = Workers::start("names").expect("a thread");
        let places = run(find_places(name, &names, services, timeout))?;
        Ok(places.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_address_record_becomes_a_place_with_the_name_as_its_host() {
        let services = ServiceLookups::new(Box::new(|_, _| unreachable!("not for addresses")));
        let places =
            find(&name("https://localhost:3000/app/", false), &services, Duration::from_secs(9)).expect("found");
        assert!(places.contains(&"https://localhost:3000/app/ at 127.0.0.1".to_owned()), "{places:?}");
    }

    #[test]
    fn an_srv_record_becomes_a_place_with_its_target_and_port_and_a_late_answer_is_an_error() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let sender = Mutex::new(sender);
        let services = ServiceLookups::new(Box::new(move |number, name| {
            sender.lock().expect("a lock").send((number, name)).expect("a receiver");
        }));
        let name = name("http://localhost/app/", true);
        assert_eq!(find(&name, &services, Duration::from_millis(10)), Err("no answer in time".into()));
        let found = std::thread::scope(|scope| {
            let services = &services;
            scope.spawn(move || {
                let (late, _) = receiver.recv().expect("the first lookup");
                let (number, asked) = receiver.recv().expect("the second lookup");
                assert_eq!(asked, "localhost");
                services.end(late, Err("late".into()));
                services.end(number, Ok(vec![("a.example.com.".into(), 80), ("b".into(), 3001), (".".into(), 0)]));
            });
            find(&name, services, Duration::from_secs(9))
        });
        assert_eq!(found.expect("found"), ["http://a.example.com/app/", "http://b:3001/app/"]);
    }
}
