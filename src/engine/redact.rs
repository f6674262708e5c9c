//! `Redactor`: removes secrets and invisible characters from text. Peers and stores know secrets, and their errors are
//! logged.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use url::Url;

use crate::auth::{Keyring, Secret};
use crate::config::{Config, Location};

/// Most characters of a redacted text: a peer may send a long one.
const MAX_TEXT: usize = 1_000;
/// Parts of secrets with this many characters are removed too: a peer may cut its error anywhere.
const PART: usize = 8;
/// How many encodings may be nested, such as percent-encoding within JSON.
const MAX_NESTING: usize = 3;

/// The secrets to remove, in all encodings.
pub struct Redactor {
    // All parts of the secrets, sorted.
    parts: Vec<[char; PART]>,
    // Secrets shorter than a part.
    short: Vec<Vec<char>>,
}

// A decoded character and its range in the text.
type Token = (char, Range<usize>);

impl Redactor {
    pub fn new(config: &Config) -> Self {
        let keys = [&config.peer_auth.secrets, &config.control].into_iter().flat_map(Keyring::all);
        let lists = &config.master_lists;
        let headers = lists.auth.iter().chain(&lists.update_auth).chain(lists.update_headers.iter().map(|(_, it)| it));
        let mut secrets: Vec<_> = headers.map(Secret::expose).flat_map(secrets_of_header).collect();
        for location in lists.lists.iter().flat_map(|list| [Some(&list.read), list.write.as_ref()]).flatten() {
            if let Location::Http(url) = location {
                secrets.extend(secrets_of_url(url));
            }
        }
        for proxy in [&config.network.http_proxy, &config.network.https_proxy].into_iter().flatten() {
            secrets.extend(Url::parse(proxy.url.expose()).iter().flat_map(secrets_of_url));
        }
        // A short header is not a secret, and removing it would make texts unreadable.
        secrets.retain(|secret| secret.chars().count() >= PART);
        secrets.extend(keys.map(|it| it.expose().to_owned()));
        Self::of(&secrets)
    }

    fn of(secrets: &[String]) -> Self {
        let in_base64 = secrets.iter().flat_map(|secret| in_base64(secret)).filter(|text| text.len() >= PART);
        let plain: Vec<Vec<char>> = secrets.iter().cloned().chain(in_base64).map(|it| it.chars().collect()).collect();
        // A secret in a configured URL may be percent-encoded.
        let decoded = plain.iter().map(|it| decode(&tokens(&it.iter().collect::<String>()), percent));
        let decoded: Vec<Vec<char>> = decoded.map(|it| it.into_iter().map(|(c, _)| c).collect()).collect();
        let (long, short): (Vec<_>, Vec<_>) = plain.into_iter().chain(decoded).partition(|it| it.len() >= PART);
        let mut parts: Vec<[char; PART]> =
            long.iter().flat_map(|it| it.windows(PART)).filter_map(|part| part.try_into().ok()).collect();
        parts.sort_unstable();
        parts.dedup();
        Self { parts, short }
    }

    /// The text without secrets, shortened, with invisible characters escaped.
    pub fn redact(&self, text: &str) -> String {
        let mut found = Vec::new();
        self.find(&tokens(text), MAX_NESTING, &mut found);
        found.sort_by_key(|range| range.start);
        let mut redacted = String::new();
        let mut end = 0;
        for range in found {
            if range.start > end || redacted.is_empty() {
                redacted.push_str(&text[end..range.start]);
                redacted.push_str("***");
            }
            end = end.max(range.end);
        }
        redacted.push_str(&text[end..]);
        printable(&redacted).chars().take(MAX_TEXT).collect()
    }

    // Adds the ranges of secrets, also of encoded ones.
    fn find(&self, tokens: &[Token], nesting: usize, found: &mut Vec<Range<usize>>) {
        let place = |window: &[Token]| window[0].1.start..window[window.len() - 1].1.end;
        for window in tokens.windows(PART) {
            let part: [char; PART] = std::array::from_fn(|at| window[at].0);
            if self.parts.binary_search(&part).is_ok() {
                found.push(place(window));
            }
        }
        for secret in &self.short {
            let is_secret = |window: &&[Token]| window.iter().zip(secret).all(|(token, c)| token.0 == *c);
            found.extend(tokens.windows(secret.len().max(1)).filter(is_secret).map(place));
        }
        if nesting > 0 {
            for encoding in [percent, escape, invisible] {
                let decoded = decode(tokens, encoding);
                if decoded.len() != tokens.len() {
                    self.find(&decoded, nesting - 1, found);
                }
            }
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    text.char_indices().map(|(at, c)| (c, at..at + c.len_utf8())).collect()
}

/// Escapes control, bidirectional and invisible characters, with which a peer could forge or hide log lines.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if is_visible(c) { printable.push(c) } else { printable.extend(c.escape_debug()) }
    }
    printable
}

// Decodes a text. `encoding` returns the decoded first character, if any, and the number of characters that it takes.
fn decode(tokens: &[Token], encoding: fn(&[Token]) -> (Option<char>, usize)) -> Vec<Token> {
    let mut decoded = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let (c, length) = encoding(&tokens[at..]);
        decoded.extend(c.map(|c| (c, tokens[at].1.start..tokens[at + length - 1].1.end)));
        at += length;
    }
    decoded
}

// Percent-encoding: %C3%A9 is one character.
fn percent(tokens: &[Token]) -> (Option<char>, usize) {
    let byte = |at: usize| match tokens.get(at..at + 3) {
        Some([('%', _), high, low]) => u8::try_from(high.0.to_digit(16)? << 4 | low.0.to_digit(16)?).ok(),
        _ => None,
    };
    let bytes: Vec<u8> = (0..4).map_while(|index| byte(3 * index)).collect();
    let first = bytes.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    match (first, bytes.first()) {
        (Some(c), _) => (Some(c), 3 * c.len_utf8()),
        // Not UTF-8, so Latin-1, as headers are.
        (None, Some(byte)) => (Some(char::from(*byte)), 3),
        (None, None) => (Some(tokens[0].0), 1),
    }
}

// The escapes of JSON and Rust: \u0041, \u{41}, \x41, \" and the like.
fn escape(tokens: &[Token]) -> (Option<char>, usize) {
    let hex = |digits: Range<usize>| {
        let mut digits = tokens.get(digits)?.iter().map(|token| token.0.to_digit(16));
        digits.try_fold(0, |sum, digit| Some(sum << 4 | digit?)).and_then(char::from_u32)
    };
    let next = tokens.get(1).filter(|_| tokens[0].0 == '\\').map(|token| token.0);
    let escaped = match next {
        Some('u') if tokens.get(2).is_some_and(|token| token.0 == '{') => {
            let end = tokens.iter().take(10).position(|token| token.0 == '}');
            end.and_then(|end| Some((hex(3..end)?, end + 1)))
        }
        Some('u') => hex(2..6).map(|c| (c, 6)),
        Some('x') => hex(2..4).map(|c| (c, 4)),
        Some(c) => Some((c, 2)),
        None => None,
    };
    escaped.map_or((Some(tokens[0].0), 1), |(c, length)| (Some(c), length))
}

// Drops invisible characters.
fn invisible(tokens: &[Token]) -> (Option<char>, usize) {
    (Some(tokens[0].0).filter(|c| is_visible(*c)), 1)
}

fn is_visible(c: char) -> bool {
    matches!(c, ' '..='~') || c.escape_debug().len() == 1
}

// The whole header, the part after its scheme, and that part base64-decoded: a user name and a password.
fn secrets_of_header(header: &str) -> Vec<String> {
    let mut secrets = vec![header.to_owned()];
    if let Some((_, rest)) = header.split_once(' ') {
        secrets.push(rest.to_owned());
        let decoded = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some((user, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) {
            secrets.extend([format!("{user}:{password}"), password.to_owned()]);
        }
    }
    secrets
}

// The password of a URL, also as in a Basic header, and its query, which may be a signature.
fn secrets_of_url(url: &Url) -> Vec<String> {
    let mut secrets: Vec<_> = url.query_pairs().map(|(_, value)| value.into_owned()).collect();
    secrets.extend(url.query().map(str::to_owned));
    if let Some(password) = url.password() {
        secrets.extend([password.to_owned(), format!("{}:{password}", url.username())]);
    }
    secrets
}

// The base64 forms of a secret at each of the three offsets. The ends depend on the surrounding text.
fn in_base64(secret: &str) -> Vec<String> {
    let mut encoded = Vec::new();
    for before in 0..3_usize {
        let bytes = [&[0; 2][..before], secret.as_bytes()].concat();
        let whole = bytes.len() / 3 * 4;
        let skipped = [0, 2, 3][before];
        for text in [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)] {
            encoded.extend(text.get(skipped..whole).map(str::to_owned));
        }
    }
    encoded.dedup();
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "pä\"ss\\word%41/of +43 characters=&<the>secret";

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor::of(&secrets.iter().map(|&it| it.into()).collect::<Vec<_>>())
    }

    // Whether the text shows a part of the secret to a reader.
    fn shows_part(text: &str, secret: &str) -> bool {
        let secret: Vec<char> = secret.chars().collect();
        secret.windows(PART).any(|part| text.contains(&part.iter().collect::<String>()))
    }

    #[test]
    fn a_secret_is_removed_in_every_encoding() {
        let digits = |byte: u8| [byte >> 4, byte & 15].map(|it| char::from_digit(it.into(), 16).expect("a digit"));
        let percent: String = SECRET.bytes().flat_map(|byte| [['%'].as_slice(), &digits(byte)].concat()).collect();
        let json = serde_json::to_string(SECRET).expect("JSON");
        let utf16: String = percent.replace("%c3%a4", "\\u00e4").replace('%', "\\u00");
        let in_uri: String =
            url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect::<String>().replace('+', "%20");
        let hidden: String = SECRET.chars().flat_map(|c| [c, '\u{200b}']).collect();
        for encoded in [
            SECRET.to_owned(),
            json.clone(),
            serde_json::to_string(&json).expect("JSON"),
            json.replace('/', "\\/"),
            utf16,
            format!("{SECRET:?}"),
            SECRET.escape_unicode().to_string(),
            percent.to_uppercase(),
            percent,
            in_uri.replace('%', "%25"),
            in_uri,
            hidden,
            STANDARD.encode(SECRET),
            URL_SAFE.encode(SECRET),
            STANDARD.encode(format!("user:{SECRET}")),
            STANDARD.encode(format!("me:{SECRET}")),
            STANDARD.encode(format!("x{SECRET}")),
        ] {
            let redacted = redactor(&[SECRET]).redact(&format!("it says: {encoded}."));
            assert!(redacted.starts_with("it says: ") && redacted.len() < 40, "{encoded} => {redacted}");
        }
    }

    #[test]
    fn a_secret_that_is_cut_anywhere_leaves_fewer_than_eight_characters() {
        let secret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
        let redactor = redactor(&[secret]);
        for (start, end) in (0..secret.len()).flat_map(|start| (start..=secret.len()).map(move |end| (start, end))) {
            let redacted = redactor.redact(&format!("<{}>", &secret[start..end]));
            assert!(!shows_part(&redacted, secret), "{redacted}");
        }
        // Around the position where long texts are cut.
        for before in MAX_TEXT - 50..=MAX_TEXT {
            let redacted = redactor.redact(&format!("{}{secret}", "x".repeat(before)));
            assert!(!shows_part(&redacted, secret) && redacted.chars().count() <= MAX_TEXT, "{before}");
        }
    }

    #[test]
    fn a_short_secret_is_removed_as_a_whole() {
        let redactor = redactor(&["hunter2"]);
        assert_eq!(redactor.redact("I know hunter2, hunter2"), "I know ***, ***");
        assert_eq!(redactor.redact("I know hunter%32"), "I know ***");
        assert_eq!(redactor.redact("I know hunter"), "I know hunter");
    }

    #[test]
    fn other_text_stays_as_it_is() {
        let redactor = redactor(&["the-gossip-secret"]);
        for text in ["gossip with http://a/ failed: it answered 500: ü 100 % of \\u12 \\ %zz %", "", "%", "\\"] {
            assert_eq!(redactor.redact(text), text);
        }
    }

    #[test]
    fn characters_that_forge_or_hide_lines_are_escaped() {
        let redactor = redactor(&["the-gossip-secret"]);
        for c in "\u{0}\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{200b}\u{200d}\u{200e}\u{202e}\u{2028}\u{2029}\u{2060}\u{2066}\u{2069}\u{feff}\u{fff9}\u{e0041}".chars() {
            let redacted = redactor.redact(&format!("a{c}b"));
            assert!(redacted.is_ascii() && redacted.starts_with("a\\") && redacted.ends_with('b'), "{redacted:?}");
        }
    }

    #[test]
    fn headers_urls_and_proxies_are_secrets_as_a_whole_and_in_parts() {
        let basic = format!("Basic {}", STANDARD.encode("operator:correct horse"));
        let url = |text: &str| Url::parse(text).expect(text);
        let mut secrets = secrets_of_header(&basic);
        secrets.extend(secrets_of_url(&url("http://me:battery%20staple@p:3128")));
        secrets.extend(secrets_of_url(&url("https://s3/list?X-Amz-Signature=0123456789abcdef")));
        let redactor = Redactor::of(&secrets);
        for (text, shown) in [
            (basic.as_str(), "***"),
            (&basic[6..], "***"),
            ("operator:correct horse", "***"),
            ("correct horse", "***"),
            ("battery%20staple", "***"),
            ("battery staple", "***"),
            ("0123456789abcdef", "***"),
        ] {
            assert_eq!(redactor.redact(text), shown, "{text}");
        }
    }
}
