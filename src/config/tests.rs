//! Tests of the configuration.

use super::*;
use crate::auth::{Mode, Secret};

fn environment(changes: &[(&str, Option<&str>)]) -> Environment {
    let mut environment: Environment = [
        ("SHAZBOT_SECRET", "gossip secret"),
        ("SHAZBOT_CONTROL_SECRET", "control secret"),
        ("SHAZBOT_BASE_URL", "http://a:3000"),
        ("SHAZBOT_MASTER_LIST", "https://store/list.json?signature=abc"),
        ("SHAZBOT_MASTER_LIST_UPDATE", "https://store/list.json"),
        ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", "Bearer x"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    for (name, value) in changes {
        environment.remove(*name);
        environment.extend(value.map(|value| ((*name).into(), value.into())));
    }
    environment
}

fn read(changes: &[(&str, Option<&str>)]) -> Result<Config, String> {
    Config::from_environment(&environment(changes)).map_err(|error| error.to_string())
}

#[test]
fn the_defaults_are_those_of_the_readme() {
    let config = read(&[]).expect("valid");
    let settings = config.settings;
    assert_eq!(settings.base_url.as_str(), "http://a:3000/");
    let times = [settings.interval, settings.announce_minimum, settings.announce_interval];
    assert_eq!(times.map(|time| time.as_secs()), [30, 300, 600]);
    assert_eq!(settings.forget_after.as_secs(), 6 * 3_600);
    assert!(!settings.monitor && !settings.update_list_on_shutdown);
}

#[test]
fn a_missing_variable_is_named_as_in_version_1_with_an_example() {
    for name in [
        "SHAZBOT_SECRET",
        "SHAZBOT_CONTROL_SECRET",
        "SHAZBOT_BASE_URL",
        "SHAZBOT_MASTER_LIST",
        // Its authorisation is set, so it is not meant to be read-only.
        "SHAZBOT_MASTER_LIST_UPDATE",
        "SHAZBOT_MASTER_LIST_UPDATE_AUTH",
    ] {
        let error = read(&[(name, None)]).expect_err(name);
        assert!(error.starts_with(&format!("Environment variable {name} is required, for example ")), "{error}");
    }
    let error = read(&[("SHAZBOT_SECRET", Some(""))]).expect_err("empty");
    assert!(error.starts_with("Environment variable SHAZBOT_SECRET is required, for example "), "{error}");
}

#[test]
fn all_problems_are_reported_together_without_secrets() {
    let error = read(&[
        ("SHAZBOT_SECRET", Some("hunter2\n")),
        ("SHAZBOT_CONTROL_SECRET", Some(" hunter2")),
        ("SHAZBOT_MASTER_LIST", Some("ftp://hunter2@store/")),
        ("SHAZBOT_BASE_URL", Some("https://hunter2:hunter2@a/")),
        ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", Some("hunter2 ✓")),
        ("SHAZBOT_GOSSIP_INTERVAL", Some("abc")),
        ("SHAZBOT_MASTER_ANNOUNCE_MINIMUM", Some("86401")),
        ("SHAZBOT_MASTER_ANNOUNCE_INTERVAL", Some("inf")),
    ])
    .expect_err("invalid");
    assert_eq!(error.lines().count(), 9, "{error}");
    assert!(error.contains("SHAZBOT_GOSSIP_INTERVAL: \"abc\" is not a number of seconds"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn numbers_are_seconds_within_a_range() {
    let interval = |value| read(&[("SHAZBOT_GOSSIP_INTERVAL", Some(value))]).map(|it| it.settings.interval);
    assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
    assert_eq!(interval(" 1e1 "), Ok(Duration::from_secs(10)));
    for wrong in ["0", "0.09", "-1", "3601", "1s", "NaN", "Infinity", "0x10"] {
        assert!(interval(wrong).expect_err(wrong).contains(wrong));
    }
}

#[test]
fn a_boolean_is_true_only_as_the_word_true_in_any_case() {
    let monitor = |value| read(&[("SHAZBOT_MONITOR", Some(value))]).expect(value).settings.monitor;
    assert!(monitor("true") && monitor("TRUE"));
    assert!(!monitor("1") && !monitor("yes") && !monitor(""));
}

fn warnings(changes: &[(&str, Option<&str>)]) -> Vec<String> {
    let strong =
        [("SHAZBOT_SECRET", Some("sixteen bytes or more")), ("SHAZBOT_CONTROL_SECRET", Some("and this as well"))];
    let config = read(&[&strong, changes].concat()).expect("valid");
    config.warnings.into_iter().map(|warning| warning.message).collect()
}

#[test]
fn a_boolean_that_is_neither_true_nor_false_is_a_warning() {
    for name in ["SHAZBOT_MONITOR", "SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN"] {
        for right in ["true", "False", ""] {
            assert_eq!(warnings(&[(name, Some(right))]), Vec::<String>::new());
        }
        let expected = format!("{name}: \"yes\" is neither true nor false, and counts as false");
        assert_eq!(warnings(&[(name, Some("yes"))]), [expected]);
        assert!(!warnings(&[(name, Some("hunter2-hunter2"))])[0].contains("hunter2"));
    }
}

#[test]
fn a_base_url_that_can_never_lead_to_this_server_is_an_error() {
    for (value, why) in [
        ("http://0.0.0.0:3000/", "at which a server listens"),
        ("http://0:3000/", "at which a server listens"),
        ("http://[::]:3000/", "at which a server listens"),
        ("http://[::ffff:0.0.0.0]:3000/", "at which a server listens"),
        ("http://*:3000/", "contains a star (*)"),
        ("http://a:0/", "its port is 0"),
        ("http://undefined:3000/", "\"undefined\", which JavaScript writes"),
        ("http://[object Object]:3000/", "which JavaScript writes"),
        ("http://$(POD_NAME):3000/", "contains the placeholder $(POD_NAME), which nothing has replaced"),
        ("http://%HOST%:3000/", "contains the placeholder %HOST%, which nothing has replaced"),
        ("http://<your-host>:3000/", "contains the placeholder <your-host>, which nothing has replaced"),
    ] {
        let error = read(&[("SHAZBOT_BASE_URL", Some(value))]).expect_err(value);
        assert!(error.starts_with("SHAZBOT_BASE_URL: ") && error.contains(why), "{value}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn the_url_of_a_list_has_no_variables_and_no_port_0() {
    for name in ["SHAZBOT_MASTER_LIST", "SHAZBOT_MASTER_LIST_UPDATE"] {
        for (value, why) in [
            ("https://${STORE}/list.json", "contains the placeholder ${STORE}, which"),
            ("https://store:0/list.json", "its port is 0"),
            ("file:///$(VOLUME)/list.json", "contains the placeholder $(VOLUME), which"),
        ] {
            let error = read(&[(name, Some(value))]).expect_err(value);
            assert!(error.starts_with(&format!("{name}: ")) && error.contains(why), "{value}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
    let error = read(&[("SHAZBOT_MASTER_LIST", Some("dns+http://$(APP):3000/"))]).expect_err("a variable");
    assert!(error.contains("contains the placeholder $(APP), which"), "{error}");
    let found = warnings(&[("SHAZBOT_MASTER_LIST", Some("http://0.0.0.0:8080/list.json"))]);
    assert!(found[0].starts_with("SHAZBOT_MASTER_LIST: 0.0.0.0"), "{found:?}");
}

#[test]
fn a_list_in_a_file_needs_no_update_variables() {
    let config = read(&[
        ("SHAZBOT_MASTER_LIST", Some("file:///tmp/list.json")),
        ("SHAZBOT_MASTER_LIST_UPDATE", None),
        ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", None),
    ])
    .expect("valid");
    let file = Location::File("/tmp/list.json".into());
    assert_eq!(config.master_lists.lists, [List { read: file.clone(), write: Some(file) }]);
    assert!(read(&[("SHAZBOT_MASTER_LIST_UPDATE_AUTH", Some(""))]).expect("valid").master_lists.update_auth.is_none());
}

#[test]
fn a_printed_location_shows_no_signature() {
    let config = read(&[]).expect("valid");
    assert_eq!(config.master_lists.lists[0].read.to_string(), "https://store/list.json");
    assert!(!format!("{config:?}").contains("abc"));
}

#[test]
fn several_lists_each_need_a_url_to_write_to() {
    let config = read(&[
        ("SHAZBOT_MASTER_LIST", Some("https://store/list.json?a  file:///tmp/list.json")),
        ("SHAZBOT_MASTER_LIST_UPDATE", Some("https://store/list.json?b\nfile:///tmp/list.json")),
    ]);
    let lists = config.expect("valid").master_lists.lists;
    assert_eq!(lists.len(), 2);
    assert_ne!(Some(&lists[0].read), lists[0].write.as_ref());
    assert_eq!(Some(&lists[1].read), lists[1].write.as_ref());
    let error = read(&[("SHAZBOT_MASTER_LIST", Some("https://a/list.json https://b/list.json"))]);
    assert!(error.expect_err("one place to write").contains("has 1 URL, SHAZBOT_MASTER_LIST 2"));
    let many = "https://a/ ".repeat(9);
    assert!(read(&[("SHAZBOT_MASTER_LIST", Some(&many))]).expect_err("too many").contains("more than 8"));
    assert!(read(&[("SHAZBOT_MASTER_LIST", Some(" "))]).expect_err("none").contains("is required"));
    let twice = "https://a/list.json https://a/list.json";
    let both = [("SHAZBOT_MASTER_LIST", Some(twice)), ("SHAZBOT_MASTER_LIST_UPDATE", Some(twice))];
    assert!(read(&both).expect_err("the same").contains("twice"));
    let commas = read(&[("SHAZBOT_MASTER_LIST", Some("https://a/list.json,https://b/list.json"))]);
    assert!(commas.expect_err("commas").contains("white space"));
}

#[test]
fn a_document_without_update_variables_is_only_read() {
    let config = read(&[
        ("SHAZBOT_MASTER_LIST", Some("http://peer:3000/clustershazbot/list file:///tmp/list.json")),
        ("SHAZBOT_MASTER_LIST_UPDATE", None),
        ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", None),
    ]);
    let lists = config.expect("valid").settings.lists;
    assert_eq!(lists.iter().map(|it| it.is_written).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn names_need_no_update_variables_and_can_be_combined_with_lists() {
    let only = |value| {
        read(&[
            ("SHAZBOT_MASTER_LIST", Some(value)),
            ("SHAZBOT_MASTER_LIST_UPDATE", None),
            ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", None),
        ])
    };
    let config = only("dns+http://app:3000/api SRV+https://_https._tcp.app.svc./").expect("valid");
    let names: Vec<_> = config.master_lists.names.iter().map(|it| (it.name.as_str(), it.is_srv)).collect();
    assert_eq!(names, [("app", false), ("_https._tcp.app.svc", true)]);
    assert_eq!(config.settings.names, ["dns+http://app:3000/api/", "srv+https://_https._tcp.app.svc./"]);
    assert!(config.settings.lists.is_empty());
    let mixed = read(&[("SHAZBOT_MASTER_LIST", Some("dns+http://app:3000/ https://store/list.json"))]).expect("valid");
    assert_eq!((mixed.master_lists.names.len(), mixed.settings.lists.len()), (1, 1));
    assert!(mixed.settings.lists[0].is_written);
    for (wrong, why) in [
        ("dns+http://10.0.0.1:3000/", "not before an address"),
        ("srv+http://_http._tcp.app:3000/", "without a port"),
        ("dns+ftp://app/", "neither http nor https"),
        ("dns+http://user@app/", "user name"),
        ("dns+app:3000", "dns+http://name:3000/"),
    ] {
        let error = only(wrong).expect_err(wrong);
        assert!(error.contains(why) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn discover_comes_after_the_names_and_needs_no_list() {
    let only = |value| {
        read(&[
            ("SHAZBOT_MASTER_LIST", Some(value)),
            ("SHAZBOT_MASTER_LIST_UPDATE", None),
            ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", None),
        ])
    };
    let settings = only("discover() dns+http://app:3000/ file:///tmp/list.json").expect("valid").settings;
    assert_eq!((settings.names, settings.lists.len()), (vec!["dns+http://app:3000/".into(), DISCOVER.into()], 1));
    assert_eq!(only(DISCOVER).expect("valid").settings.names, [DISCOVER]);
}

#[test]
fn an_invalid_list_is_the_only_problem_reported_for_it() {
    let list = |value| {
        let changes = [
            ("SHAZBOT_MASTER_LIST", Some(value)),
            ("SHAZBOT_MASTER_LIST_UPDATE", None),
            ("SHAZBOT_MASTER_LIST_UPDATE_AUTH", None),
        ];
        read(&changes).expect_err(value)
    };
    for value in ["/tmp/servers.json", "file:servers.json", "file://servers.json"] {
        assert_eq!(list(value).lines().count(), 1, "{}", list(value));
        assert!(list(value).contains("file:///"), "{}", list(value));
    }
}

#[test]
fn update_headers_are_a_json_object_of_strings() {
    let headers = |json: &str| read(&[("SHAZBOT_MASTER_LIST_UPDATE_HEADERS", Some(json))]);
    let config = headers(r#"{"x-ms-blob-type":"BlockBlob","X-Token":"hunter2"}"#).expect("valid");
    assert_eq!(config.master_lists.update_headers.len(), 2);
    assert!(!format!("{config:?}").contains("hunter2"));
    for wrong in [
        "hunter2",
        r#"["hunter2"]"#,
        r#"{"hunter2":7}"#,
        r#"{"two words":"hunter2"}"#,
        r#"{"x":"hunter2 \n"}"#,
        r#"{"Authorization":"hunter2"}"#,
        r#"{"if-match":"hunter2"}"#,
        r#"{"Content-Encoding":"hunter2"}"#,
    ] {
        let error = headers(wrong).expect_err(wrong);
        assert!(error.starts_with("SHAZBOT_MASTER_LIST_UPDATE_HEADERS") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_state_file_is_a_path_or_a_file_url() {
    for value in ["/var/lib/app/cluster.json", "file:///var/lib/app/cluster.json"] {
        let config = read(&[("SHAZBOT_STATE_FILE", Some(value))]).expect("valid");
        assert_eq!(config.state_file, Some("/var/lib/app/cluster.json".into()));
        assert!(config.settings.keeps_state);
    }
    assert!(read(&[("SHAZBOT_STATE_FILE", Some("https://a/"))]).is_err());
    let list = [("SHAZBOT_MASTER_LIST", Some("file:///a")), ("SHAZBOT_MASTER_LIST_UPDATE", Some("file:///a"))];
    let shared = read(&[list[0], list[1], ("SHAZBOT_STATE_FILE", Some("/a"))]);
    assert!(shared.expect_err("shared").contains("a master list"));
}

#[test]
fn the_variables_for_authentication_are_read() {
    let config = read(&[
        ("SHAZBOT_AUTH", Some("sign")),
        ("SHAZBOT_CLUSTER", Some("blue-1")),
        ("SHAZBOT_LIST_AUTH", Some("required")),
        ("SHAZBOT_SECRET_ALSO", Some("another gossip secret")),
        ("SHAZBOT_ALLOWED_ORIGINS", Some("http://a:3000,10.0.0.0/8")),
    ])
    .expect("valid");
    assert_eq!((config.peer_auth.mode, config.peer_auth.cluster.as_deref()), (Mode::Sign, Some("blue-1")));
    assert!(config.list_needs_secret && config.peer_auth.secrets.matches("another gossip secret"));
    assert!(!config.control.matches("another gossip secret"));
    for (name, value) in [
        ("SHAZBOT_AUTH", "Signed"),
        ("SHAZBOT_CLUSTER", "two words"),
        ("SHAZBOT_LIST_AUTH", "true"),
        ("SHAZBOT_SECRET", "Shazbot and more"),
        ("SHAZBOT_ALLOWED_ORIGINS", "http://b"),
    ] {
        let error = read(&[(name, Some(value))]).expect_err(name);
        assert!(error.starts_with(name), "{error}");
    }
}

#[test]
fn weak_secrets_are_reported_without_showing_them() {
    let weak = |gossip, control| {
        let secrets = [("SHAZBOT_SECRET", Some(gossip)), ("SHAZBOT_CONTROL_SECRET", Some(control))];
        let warnings = read(&secrets).expect("valid").warnings;
        warnings.into_iter().map(|warning| warning.message).collect::<Vec<_>>()
    };
    assert!(weak("$(GOSSIP_SECRET)", "and this one as well")[0].contains("nothing has replaced"));
    assert_eq!(weak("sixteen bytes or more", "and this one as well").len(), 0);
    assert_eq!(weak("hunter2", "hunter2").len(), 3);
    assert!(weak("hunter2", "hunter2").iter().all(|sentence| !sentence.contains("hunter2")));
}

#[test]
fn proxies_are_used_only_if_node_would_use_them() {
    let proxy = ("HTTP_PROXY", Some("http://proxy:3128"));
    assert_eq!(read(&[proxy]).expect("valid").network.http_proxy, None);
    let config = read(&[proxy, ("NODE_USE_ENV_PROXY", Some("1"))]).expect("valid");
    let proxy = ProxyVariable { name: "HTTP_PROXY", url: Secret::new("http://proxy:3128".into()) };
    assert_eq!(config.network.http_proxy, Some(proxy));
}

#[test]
fn a_client_certificate_needs_its_key_and_the_key_is_not_shown() {
    let (certificate, key) =
        (("SHAZBOT_TLS_CERT", Some("/cert.pem")), ("SHAZBOT_TLS_KEY", Some("-----BEGIN\\nhunter2")));
    assert_eq!(read(&[]).expect("valid").network.client_certificate, None);
    let config = read(&[certificate, key]).expect("valid");
    assert!(!format!("{config:?}").contains("hunter2"));
    let key_text = config.network.client_certificate.expect("both are set").key.read().expect("a text");
    assert_eq!(key_text, b"-----BEGIN\nhunter2");
    assert!(read(&[certificate]).expect_err("no key").starts_with("SHAZBOT_TLS_KEY: it is missing"));
    assert!(read(&[key]).expect_err("no certificate").starts_with("SHAZBOT_TLS_CERT: it is missing"));
}
