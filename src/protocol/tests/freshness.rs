//! The exchange of stamps between servers whose lists are equal.

use super::repair::{exchange_until_done, server_that_knows};
use super::*;

#[test]
fn servers_with_equal_lists_exchange_stamps() {
    let (mut one, mut other) = (server_that_knows("a", 0..40), server_that_knows("b", 0..40));
    exchange_until_done(&mut one, &mut other);
    other.receive_v1(vec![entry("server-7", ONLINE, WALL + 20_000, Some(1))]);
    exchange_until_done(&mut one, &mut other);
    let stamp = one.entry_of(&url("server-7")).stamp;
    assert!((WALL + 19_800..=WALL + 20_000).contains(&stamp), "{}", stamp - WALL);
}
