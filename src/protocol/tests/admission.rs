//! How many messages are admitted a second.

use super::*;

#[test]
fn messages_above_the_rate_limit_are_refused_until_the_next_second() {
    let mut server = Server::new("a");
    let count_refused = |server: &mut Server| {
        let results = (0..1_500).map(|_| server.core.admit(server.now));
        results.filter(|result| *result == Err(Error::Limit(1_000))).count()
    };
    assert_eq!(count_refused(&mut server), 500);
    server.run(1);
    assert_eq!(count_refused(&mut server), 500);
}

#[test]
fn a_sender_that_floods_us_takes_no_share_of_the_others() {
    let mut server = Server::new("a");
    let message = |name| Message::new_v2(entry(name, ONLINE, WALL, Some(1)), None, Envelope::default());
    let count_admitted = |server: &mut Server, name| {
        (0..300)
            .filter(|_| {
                server.core.admit(server.now).is_ok() && server.core.admit_from(&message(name), server.now).is_ok()
            })
            .count()
    };
    assert_eq!((0..9).map(|_| count_admitted(&mut server, "b")).sum::<usize>(), 100);
    assert_eq!(count_admitted(&mut server, "c"), 100);
    server.run(1);
    assert_eq!(count_admitted(&mut server, "b"), 100);
}
