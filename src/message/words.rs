//! Writes and parses the words of the `shazbot` field: entries, digests, bucket hashes, requested buckets, freshness
//! stamps. Flags and plain URLs are in `envelope.rs`.

use std::fmt::{Arguments, Write};

use super::entry::{Entry, State};
use super::envelope::{Digest, Freshness, MAX_BUCKETS, MAX_FRESHNESS_STAMPS};
use super::validate::RawEntry;

/// Freshness stamps are rounded down to a multiple of this, ms.
pub const STAMP_UNIT: u64 = 128;
/// The age, in units, that means "too old to send": 18 bits, about 9 hours.
const MAX_AGE: u64 = (1 << 18) - 1;
/// The digits of an age. Not standard base 64, because an age has 18 bits: exactly three digits.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub fn write(text: &mut String, word: Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(word);
}

/// `<state><stamp>><url>[><v2>]`
pub fn write_entry(text: &mut String, entry: &Entry) {
    let letter = match entry.state {
        State::Online => 'o',
        State::Offline => 'x',
    };
    let letter = if entry.monitor { letter.to_ascii_uppercase() } else { letter };
    write(text, format_args!("{letter}{}>{}", entry.stamp, entry.url));
    if let Some(v2) = &entry.v2 {
        write(text, format_args!(">{v2}"));
    }
}

pub fn parse_entry(word: &str) -> (State, RawEntry<'_>) {
    let mut parts = word.splitn(3, '>');
    let head = parts.next().unwrap_or_default();
    let letter = head.chars().next().unwrap_or(' ');
    let entry = RawEntry {
        url: parts.next(),
        monitor: matches!(letter, 'o' | 'x' | 'O' | 'X').then_some(letter.is_ascii_uppercase()),
        stamp: head[letter.len_utf8().min(head.len())..].parse::<u64>().ok().map(|stamp| stamp as f64),
        v2: parts.next(),
    };
    let state = if letter.eq_ignore_ascii_case(&'o') { State::Online } else { State::Offline };
    (state, entry)
}

/// `<hash>.<cutoff>`
pub fn write_digest(text: &mut String, Digest { hash, cutoff }: Digest) {
    write(text, format_args!("{hash:x}.{cutoff}"));
}

pub fn parse_digest(text: &str) -> Option<Digest> {
    let (hash, cutoff) = text.split_once('.')?;
    Some(Digest { hash: u64::from_str_radix(hash, 16).ok()?, cutoff: cutoff.parse().ok()? })
}

/// Six hexadecimal digits for each bucket.
pub fn write_buckets(text: &mut String, buckets: &[u32]) {
    for hash in buckets {
        write(text, format_args!("{:06x}", hash & 0xff_ffff));
    }
}

pub fn parse_buckets(text: &str) -> Option<Vec<u32>> {
    let (chunks, rest) = text.as_bytes().as_chunks::<6>();
    if !rest.is_empty() || !is_bucket_count(chunks.len()) {
        return None;
    }
    let hash = |chunk: &[u8; 6]| u32::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok();
    chunks.iter().map(hash).collect()
}

/// One hexadecimal digit for each four buckets; the first bucket is the lowest bit.
pub fn write_requested(text: &mut String, requested: &[bool]) {
    for bits in requested.chunks(4) {
        let bits = bits.iter().enumerate().fold(0, |sum, (bit, is_requested)| sum | (u32::from(*is_requested) << bit));
        write(text, format_args!("{bits:x}"));
    }
}

pub fn parse_requested(text: &str) -> Option<Vec<bool>> {
    if !is_bucket_count(text.len() * 4) {
        return None;
    }
    let digits = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<_>>>()?;
    Some(digits.into_iter().flat_map(|digit| (0..4).map(move |bit| digit & (1 << bit) != 0)).collect())
}

fn is_bucket_count(count: usize) -> bool {
    count.is_power_of_two() && (4..=MAX_BUCKETS).contains(&count)
}

/// ` a<newest stamp>.<index>.<ages>`: stamp and ages in units, three digits for each age. Writes nothing if no stamp is
/// recent enough.
pub fn write_freshness(text: &mut String, freshness: &Freshness) {
    let units = |stamp: &u64| stamp / STAMP_UNIT;
    let Some(newest) = freshness.stamps.iter().flatten().map(units).max() else { return };
    write(text, format_args!(" a{newest}.{}.", freshness.first));
    for stamp in &freshness.stamps {
        let age = stamp.as_ref().map_or(MAX_AGE, |stamp| (newest - units(stamp)).min(MAX_AGE));
        for part in [age >> 12, age >> 6, age] {
            text.push(char::from(DIGITS[(part & 63) as usize]));
        }
    }
}

pub fn parse_freshness(text: &str) -> Option<Freshness> {
    let (newest, rest) = text.split_once('.')?;
    let (first, ages) = rest.split_once('.')?;
    let newest: u64 = newest.parse().ok().filter(|newest| *newest <= u64::MAX / STAMP_UNIT)?;
    let (ages, []) = ages.as_bytes().as_chunks::<3>() else { return None };
    let stamp = |age: &[u8; 3]| {
        let age = age.iter().try_fold(0, |sum, character| Some(sum << 6 | digit(*character)?))?;
        // An age that reaches before the epoch is invalid and counts as too old.
        Some(newest.checked_sub(age).filter(|_| age < MAX_AGE).map(|units| units * STAMP_UNIT))
    };
    let stamps = ages.iter().take(MAX_FRESHNESS_STAMPS).map(stamp).collect::<Option<Vec<_>>>()?;
    Some(Freshness { first: first.parse().ok()?, stamps })
}

fn digit(character: u8) -> Option<u64> {
    DIGITS.iter().position(|digit| *digit == character).map(|value| value as u64)
}
