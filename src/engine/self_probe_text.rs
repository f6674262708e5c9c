//! The warning if a server does not find itself at its own base URL: what answered, the likely cause, and how to fix
//! it.

use crate::protocol::{ExchangeError, Failure};
use crate::server_url::ServerUrl;

const NOT_HTTP_1: &str = "Gossip uses HTTP/1.1. Does the server speak HTTP/2 only (Node: http2.createServer), or TLS where \
                          SHAZBOT_BASE_URL begins with http:?";

/// The text of the warning.
pub fn message(url: &ServerUrl, error: &ExchangeError) -> String {
    let Failure { code, text } = error.failure();
    let remedy = remedy(&code.to_string(), &text, url);
    let end = if remedy.ends_with('?') { "" } else { "." };
    format!(
        "this server does not find itself at its SHAZBOT_BASE_URL: POST {url}clustershazbot/gossip: {text} ({code}). {remedy}{end} \
         Other servers list this one online only if they reach it there; this warning ends as soon as one of them does"
    )
}

// The cause and fix of each code in docs/errors.md#shazbot_self_probe.
#[expect(clippy::too_many_lines, reason = "a table")]
fn remedy(code: &str, text: &str, url: &ServerUrl) -> String {
    let fixed = match code {
        "HTTP_404" => {
            return format!(
                "There is no such route. Does the program have a global prefix, or the routes below another path? Then add \
                 that path to SHAZBOT_BASE_URL, for example {url}api/. Does it have the routes at all \
                 (docs/getting-started.md)?"
            );
        }
        "HTTP_401" | "HTTP_403" | "HTTP_407" => {
            "A guard, an authentication or CSRF middleware, or a proxy refuses the request, not this package. Exempt the paths \
             below /clustershazbot/ from it: these routes check their own secrets. In Nest with \
             ShazbotModule.forRoot({ decorators: [Public()] }), where Public is the decorator that your guard knows; in Express \
             by mounting them before the middleware"
        }
        "HTTP_429" => {
            "A rate limit in front of the routes refuses the request, not this package. Exempt the paths below \
             /clustershazbot/ from it: these routes have limits of their own"
        }
        "HTTP_405" | "SHAZBOT_METHOD" => {
            "What answers there does not accept POST: another program, static files or a proxy. Correct the port or the path, or \
             let POST pass"
        }
        "HTTP_301" | "HTTP_302" | "HTTP_303" | "HTTP_307" | "HTTP_308" => {
            "Gossip does not follow redirects. Set SHAZBOT_BASE_URL to the URL to which this one leads, or exempt the paths \
             below /clustershazbot/ from it"
        }
        "HTTP_431" => {
            "The server accepts no headers of this size. Raise its limit to 1 KiB or more (Node: maxHeaderSize, 16 KiB by \
             default)"
        }
        "HTTP_413" => "A body parser or a proxy has a limit that is too low: see docs/production.md, Body limits",
        "HTTP_400" | "HTTP_415" | "SHAZBOT_INVALID_MESSAGE" | "SHAZBOT_UNSUPPORTED_BODY" => {
            "The body does not reach the route. Mount a JSON body parser before routes that are written by hand, and let \
             proxies leave bodies alone"
        }
        "HTTP_502" | "HTTP_503" | "HTTP_504" | "SHAZBOT_NOT_STARTED" | "SHAZBOT_FAILED" => {
            "The answer is of a proxy that does not reach the program, or of another process that has not started \
             clustershazbot. Correct the host, the port or the health check in the proxy"
        }
        "SHAZBOT_UNAUTHORIZED" | "SHAZBOT_WRONG_CLUSTER" | "SHAZBOT_MISDIRECTED" => {
            "Another server answers there, of another cluster or with another configuration. Is the port right? Or a load \
             balancer is in between: give each process a base URL that leads to it alone"
        }
        "SHAZBOT_ANOTHER_SERVER" | "SHAZBOT_DUPLICATE_BASE_URL" => {
            "The URL leads to another process: a load balancer, a worker with the same port, or a wrong port. Give each \
             process a base URL that leads to it alone; docs/production.md shows how with node:cluster and PM2"
        }
        "ECONNREFUSED" => {
            "Nothing listens there. Does the program call listen, on this port, and on an address to which the URL leads \
             (0.0.0.0 or ::, not only 127.0.0.1)?"
        }
        "SHAZBOT_NO_ANSWER" => {
            "Something accepts the connection and does not answer. Is the port that of this program? Does a middleware \
             never call next()?"
        }
        "ETIMEDOUT" => "Packets are lost. Is the address one of this machine? Does a firewall drop them?",
        "ENOTFOUND" | "EAI_AGAIN" => {
            "This machine cannot resolve the host name. Is it spelled right, and is it in the DNS that this machine uses?"
        }
        "EHOSTUNREACH" | "ENETUNREACH" | "EADDRNOTAVAIL" | "EACCES" => {
            "The address cannot be reached from here. Is it one of this machine, or of what is in front of it?"
        }
        "CERT_HAS_EXPIRED" => {
            "Renew the certificate, and restart this program or call setSecureContext of its HTTPS server"
        }
        "CERT_NOT_YET_VALID" => "Is the clock of this machine right? If so, use a certificate that is valid now",
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE" => {
            "Add the certificate of its issuer to the file in NODE_EXTRA_CA_CERTS on all servers, and restart them. If the \
             issuer is in there, append the intermediate certificates to the certificate file of this server"
        }
        "DEPTH_ZERO_SELF_SIGNED_CERT" => {
            "Copy this certificate into the file in NODE_EXTRA_CA_CERTS on all servers, and restart them: see docs/production.md, TLS"
        }
        "ERR_TLS_CERT_ALTNAME_INVALID" => {
            "Make a certificate with the host of SHAZBOT_BASE_URL as a subjectAltName, or change SHAZBOT_BASE_URL to a name \
             that the certificate has"
        }
        "SHAZBOT_HTTP2_ONLY" => "Gossip uses HTTP/1.1: let the server accept it too (Node: allowHTTP1: true)",
        "HPE_INVALID_CONSTANT" => NOT_HTTP_1,
        "ECONNRESET" => {
            "The connection is closed without an answer. Does the server speak TLS where SHAZBOT_BASE_URL begins with http:, or \
             HTTP/2 only?"
        }
        "EPROTO" => "Does the server speak TLS at all? If not, SHAZBOT_BASE_URL must begin with http:",
        "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" => {
            "Set SHAZBOT_TLS_CERT and SHAZBOT_TLS_KEY on all servers: see docs/production.md, Client certificates"
        }
        _ if code.starts_with("CERT_") || code.starts_with("ERR_SSL_") || code.starts_with("ERR_TLS_") => {
            "The other servers will not accept the certificate either: see docs/production.md, TLS"
        }
        // An HTTP/2 server may send data before the request.
        _ if text.contains("unexpected message from connection") => NOT_HTTP_1,
        _ if text.contains("compressed") => {
            "A middleware or a proxy compresses answers although the request did not allow it. Exempt the paths below \
             /clustershazbot/ from it"
        }
        _ => {
            "Another program answers there, or something in between changes the answer. Is the port right? Does a proxy or a \
             middleware answer all paths with a page?"
        }
    };
    fixed.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_names_its_remedy() {
        let url = ServerUrl::parse("http://own/").expect("a URL");
        for (code, text, expected) in [
            ("HTTP_404", "", "http://own/api/"),
            ("HTTP_401", "", "ShazbotModule.forRoot({ decorators: [Public()] })"),
            ("HTTP_403", "", "CSRF"),
            ("HTTP_429", "", "rate limit"),
            ("HTTP_308", "", "redirect"),
            ("HTTP_503", "", "proxy"),
            ("SHAZBOT_UNAUTHORIZED", "", "another cluster"),
            ("SHAZBOT_ANOTHER_SERVER", "", "load balancer"),
            ("ECONNREFUSED", "", "0.0.0.0"),
            ("SHAZBOT_NO_ANSWER", "", "does not answer"),
            ("ENOTFOUND", "", "DNS"),
            ("CERT_HAS_EXPIRED", "", "Renew"),
            ("CERT_REVOKED", "", "TLS"),
            ("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "", "SHAZBOT_TLS_CERT"),
            ("SHAZBOT_HTTP2_ONLY", "", "allowHTTP1"),
            ("SHAZBOT_INVALID_ANSWER", "its answer is compressed (gzip)", "compresses"),
            ("SHAZBOT_INVALID_ANSWER", "its answer is an HTML page", "Another program"),
        ] {
            let remedy = remedy(code, text, &url);
            assert!(remedy.contains(expected), "{code}: {remedy}");
        }
    }
}
