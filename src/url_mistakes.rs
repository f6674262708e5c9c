//! Detects mistakes in a configured URL: unexpanded variables, `undefined` as the host, port 0.

/// Variables in templates of shells, Compose, Kubernetes and Helm, and in documents.
const TEMPLATES: [(&str, &str); 4] = [("$(", ")"), ("${", "}"), ("{{", "}}"), ("<", ">")];
/// JavaScript's texts for a missing value, in lower case.
const MISSING_VALUES: [&str; 4] = ["undefined", "null", "nan", "[object object]"];
/// The longest text that an error quotes.
const MAX_QUOTED: usize = 64;

/// The reason why this URL or origin cannot lead to a server. None if it may be right; nothing else is checked.
///
/// The reason never quotes the user or the query of a URL, which may be secret.
pub fn mistake(url: &str) -> Option<String> {
    let text = url.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = split(text);
    // A password may contain one of these characters, and then looks like a port or a path.
    if path.contains('@') || url[text.len()..].contains('@') {
        return None;
    }
    if let Some(variable) = template(authority).or_else(|| template(path)).or_else(|| bare_variable(authority)) {
        return Some(format!(
            "it contains the placeholder {variable}, which nothing has replaced: write the value itself. Or let something fill \
             it in: a shell and Compose replace ${{NAME}}, Kubernetes replaces $(NAME) if NAME is defined above it"
        ));
    }
    if ["%3a", "%2f"].iter().any(|it| authority.to_ascii_lowercase().contains(it)) {
        return Some("its host is percent-encoded: write : and / as they are".into());
    }
    if !text.contains("://") {
        return None;
    }
    let (host, port) = host_and_port(authority);
    if MISSING_VALUES.contains(&host.to_ascii_lowercase().as_str()) {
        return Some(format!(
            "its host is {host:?}, which JavaScript writes for a missing value: set the variable that the host comes from"
        ));
    }
    let port = port.filter(|port| !port.is_empty() && *port != "*" && port.len() <= MAX_QUOTED)?;
    match port.parse::<u32>() {
        Ok(0) => {
            Some("its port is 0, at which nobody can be reached: write the port at which the server listens".into())
        }
        Ok(_) => None,
        Err(_) => Some(format!("its port, {port:?}, is not a number: write the port at which the server listens")),
    }
}

/// Whether the whole text is an unexpanded variable, such as `$(SECRET)`.
pub fn is_template(text: &str) -> bool {
    TEMPLATES.iter().any(|(open, close)| between(text, open, close) == Some(text))
}

// The host with its port, and the rest. Drops user name and password.
fn split(text: &str) -> (&str, &str) {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    (authority.rsplit('@').next().unwrap_or_default(), path)
}

fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    let after_address = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[after_address..].rfind(':') {
        Some(colon) => (&authority[..after_address + colon], Some(&authority[after_address + colon + 1..])),
        None => (authority, None),
    }
}

fn template(text: &str) -> Option<&str> {
    TEMPLATES.iter().find_map(|(open, close)| between(text, open, close))
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let start = text.find(open)?;
    let inside = &text[start + open.len()..];
    let length = inside.find(close).filter(|length| (1..=MAX_QUOTED).contains(length))?;
    text.get(start..start + open.len() + length + close.len())
}

// `$NAME` and `%NAME%`, only in a host: a path may contain both.
fn bare_variable(authority: &str) -> Option<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let windows = between(authority, "%", "%").filter(|it| it.trim_matches('%').chars().all(is_name));
    windows.or_else(|| {
        let start = authority.find('$')?;
        let end = authority[start + 1..].find(|c| !is_name(c)).map_or(authority.len(), |length| start + 1 + length);
        authority.get(start..end).filter(|it| it.len() <= MAX_QUOTED)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_nothing_has_replaced_are_named() {
        for (url, variable) in [
            ("http://$(POD_NAME).app:3000/", "$(POD_NAME)"),
            ("http://${HOST}:3000/", "${HOST}"),
            ("http://a:${PORT:-3000}/", "${PORT:-3000}"),
            ("http://{{ .Release.Name }}:3000/", "{{ .Release.Name }}"),
            ("http://<host>:3000/", "<host>"),
            ("http://%HOST%:3000/", "%HOST%"),
            ("http://$HOST:3000/", "$HOST"),
            ("http://a:$PORT/", "$PORT"),
            ("http://a:3000/${STAGE}/", "${STAGE}"),
            ("file:///data/$(STAGE)/list.json", "$(STAGE)"),
            ("dns+http://${SERVICE}:3000/", "${SERVICE}"),
        ] {
            let error = mistake(url).expect(url);
            assert!(error.contains(&format!("it contains the placeholder {variable}, which")), "{url}: {error}");
        }
    }

    #[test]
    fn missing_values_and_impossible_ports_are_named() {
        for (url, why) in [
            ("http://undefined:3000/", "its host is \"undefined\""),
            ("http://NULL/", "its host is \"NULL\""),
            ("http://NaN:3000", "its host is \"NaN\""),
            ("http://[object Object]:3000/", "its host is \"[object Object]\""),
            ("http://a:undefined/", "its port, \"undefined\", is not a number"),
            ("http://a:NaN/", "its port, \"NaN\", is not a number"),
            ("http://a:0/", "its port is 0"),
            ("http://[fd00::1]:0/", "its port is 0"),
            ("http://app%3A3000/", "percent-encoded"),
        ] {
            let error = mistake(url).expect(url);
            assert!(error.contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn a_password_is_not_quoted_as_a_port_or_a_path() {
        for password in ["pass/word", "pass?word", "pass#word", "pa/${x}", "$pass/word"] {
            assert_eq!(mistake(&format!("https://user:{password}@store/list.json")), None, "{password}");
        }
    }

    #[test]
    fn what_may_be_right_is_not_a_mistake() {
        for url in [
            "http://a:3000/",
            "https://[fd00::1]:3000/app/",
            "http://nullable.example:3000/",
            "http://a/%41%42/$x",
            "https://store/list.json?signature=${a}&x=$(b)",
            "https://user:${secret}@store/list.json",
            "https://*.cluster.internal:*",
            "file:///C:/lists/servers.json",
            "file:servers.json",
            "b\u{fc}cher",
            "",
        ] {
            assert_eq!(mistake(url), None, "{url}");
        }
    }
}
