//! Secrets: a guest has placeholders, the host has the values.
//!
//! A placeholder is random text made anew for every attempt; it means nothing to anybody else, and nothing when the attempt
//! has ended. The guest gets it as an environment variable and treats it like the secret.
//!
//! | where a placeholder stands | what becomes of it |
//! |---|---|
//! | a request header's value | replaced by the secret |
//! | inside `authorization: Basic …` | decoded, replaced, encoded again |
//! | the URL | the request is refused: URLs are written into logs on their way |
//! | the body, its trailers, a header's name | sent as it is: bodies stream, and a placeholder tells nobody anything |
//!
//! Replaced only when the request is granted and its URL is one the secret is granted for, scheme included: a secret
//! whose URLs say `https` never travels in plain text. Anywhere else the request is refused and names the secret.
//!
//! What comes back: a server that repeats a secret in the headers of its response gives the guest the placeholder again.
//! **Bodies are passed on as they are**: a server that is given a secret can always hand it out in a form nobody
//! recognises, so grant a secret only to servers that are trusted with it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::grants::{Destination, Secret};

/// What every placeholder begins with.
const PREFIX: &str = "tasker-secret-";

/// Shortest secret that is recognised in a response. A shorter one cannot be told from ordinary text, and a guest could
/// find it by having a server repeat guesses until one is replaced.
const RECOGNISED: usize = 8;

/// The secrets of one attempt under the names the guest knows them by.
#[derive(Default)]
pub(in crate::sandbox) struct Placeholders(Vec<Placeholder>);

struct Placeholder {
    text: String,
    secret: Secret,
}

/// A secret that cannot be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotSent {
    /// It is not granted for where the request goes.
    NotGranted(String),
    /// Its value has bytes that a header cannot hold.
    NoHeaderValue(String),
}

/// What a response may repeat, and what the guest gets instead; the longest first.
#[derive(Default)]
pub(super) struct Echoes(Vec<(Vec<u8>, Vec<u8>)>);

impl Placeholders {
    /// New placeholders for these secrets.
    pub(in crate::sandbox) fn new(secrets: &[Secret]) -> Self {
        Self(secrets.iter().map(|secret| Placeholder { text: text(), secret: secret.clone() }).collect())
    }

    /// The environment variables that hold them: names and placeholders.
    pub(in crate::sandbox) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|placeholder| (placeholder.secret.name.as_str(), placeholder.text.as_str()))
    }

    /// The name of a secret whose placeholder stands in this text.
    pub(super) fn found_in(&self, text: &str) -> Option<&str> {
        self.0.iter().find(|placeholder| text.contains(&placeholder.text)).map(|found| found.secret.name.as_str())
    }

    /// Puts the secrets into the headers of a request that is granted, or says which may not go there. The result knows
    /// them again in the response.
    pub(super) fn reveal(&self, headers: &mut HeaderMap, destination: &Destination) -> Result<Echoes, NotSent> {
        if self.0.is_empty() {
            return Ok(Echoes::default());
        }
        let mut echoes: Vec<_> = self
            .0
            .iter()
            .map(|known| (known.secret.value.expose().as_bytes().to_vec(), known.text.as_bytes().to_vec()))
            .collect();
        for (name, value) in headers.iter_mut() {
            if let Some(revealed) = self.revealed(value.as_bytes(), destination)? {
                *value = sensitive(&revealed)?;
            } else if *name == AUTHORIZATION
                && let Some(token) = basic_token(value.as_bytes())
                && let Some(plain) = decoded(token)
                && let Some(revealed) = self.revealed(&plain, destination)?
            {
                let sent = STANDARD.encode(revealed);
                echoes.push((sent.clone().into_bytes(), token.to_vec()));
                *value = sensitive(format!("Basic {sent}").as_bytes())?;
            }
        }
        echoes.retain(|(sent, _)| sent.len() >= RECOGNISED);
        echoes.sort_by_key(|(sent, _)| std::cmp::Reverse(sent.len()));
        Ok(Echoes(echoes))
    }

    /// Text with its placeholders replaced, or `None` when it has none.
    fn revealed(&self, text: &[u8], destination: &Destination) -> Result<Option<Vec<u8>>, NotSent> {
        let mut revealed: Option<Vec<u8>> = None;
        for Placeholder { text: placeholder, secret } in &self.0 {
            let value = secret.value.expose().as_bytes();
            let current = revealed.as_deref().unwrap_or(text);
            let Some(replaced) = replaced(current, placeholder.as_bytes(), value) else { continue };
            if !secret.urls.iter().any(|url| url.matches(destination)) {
                return Err(NotSent::NotGranted(secret.name.clone()));
            }
            if HeaderValue::from_bytes(value).is_err() {
                return Err(NotSent::NoHeaderValue(secret.name.clone()));
            }
            revealed = Some(replaced);
        }
        Ok(revealed)
    }
}

impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.variables().map(|(name, _)| name)).finish()
    }
}

impl Echoes {
    /// Gives the guest the placeholders where a response repeats the secrets.
    pub(super) fn conceal(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            for (sent, shown) in &self.0 {
                if let Some(replaced) = replaced(value.as_bytes(), sent, shown)
                    && let Ok(replaced) = HeaderValue::from_bytes(&replaced)
                {
                    *value = replaced;
                }
            }
        }
    }
}

/// A header's value that no log shows and no compression table keeps.
fn sensitive(value: &[u8]) -> Result<HeaderValue, NotSent> {
    let mut value = HeaderValue::from_bytes(value).map_err(|_| NotSent::NoHeaderValue("of the request".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A new placeholder. Two version 7 UUIDs have 148 random bits between them.
fn text() -> String {
    let mut hash = Sha256::new();
    hash.update(Uuid::now_v7());
    hash.update(Uuid::now_v7());
    format!("{PREFIX}{}", hex::encode(&hash.finalize()[..16]))
}

/// The credentials of a `Basic` authorization.
fn basic_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    scheme.eq_ignore_ascii_case(b"basic ").then(|| rest.trim_ascii())
}

fn decoded(token: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(token).or_else(|_| STANDARD_NO_PAD.decode(token)).ok()
}

/// `text` with every `part` replaced, or `None` when there is none.
fn replaced(text: &[u8], part: &[u8], with: &[u8]) -> Option<Vec<u8>> {
    let find = |from: usize| {
        text.get(from..)?.windows(part.len().max(1)).position(|window| window == part).map(|at| from + at)
    };
    let mut at = find(0)?;
    let mut replaced = Vec::with_capacity(text.len());
    let mut copied = 0;
    loop {
        replaced.extend_from_slice(&text[copied..at]);
        replaced.extend_from_slice(with);
        copied = at + part.len();
        match find(copied) {
            Some(next) => at = next,
            None => break,
        }
    }
    replaced.extend_from_slice(&text[copied..]);
    Some(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grants::{Scheme, SecretValue};

    const KEY: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
    const TOKEN: &str = "ghp_0123456789abcdef";

    fn placeholders() -> Placeholders {
        let secret = |name: &str, value: &str, url: &str| Secret {
            name: name.to_owned(),
            value: SecretValue::from(value.to_owned()),
            urls: vec![url.parse().unwrap()],
        };
        Placeholders::new(&[
            secret("STRIPE_KEY", KEY, "https://api.stripe.example/v1"),
            secret("TOKEN", TOKEN, "https://*.github.example"),
        ])
    }

    fn of(placeholders: &Placeholders, name: &str) -> String {
        placeholders.variables().find(|(known, _)| *known == name).unwrap().1.to_owned()
    }

    fn stripe() -> Destination {
        Destination::new(Scheme::Https, "api.stripe.example", None, "/v1/charges")
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn every_attempt_has_placeholders_of_its_own() {
        let (one, other) = (of(&placeholders(), "TOKEN"), of(&placeholders(), "TOKEN"));

        assert_ne!(one, other);
        assert!(one.starts_with(PREFIX) && one.len() == PREFIX.len() + 32, "{one}");
    }

    #[test]
    fn a_placeholder_in_any_header_becomes_the_secret_and_is_marked() {
        let placeholders = placeholders();
        let key = of(&placeholders, "STRIPE_KEY");
        let mut headers = headers("x-api-key", &format!("key={key}; again={key}"));

        placeholders.reveal(&mut headers, &stripe()).unwrap();

        assert_eq!(headers["x-api-key"], format!("key={KEY}; again={KEY}"));
        assert!(headers["x-api-key"].is_sensitive());
        assert!(!format!("{headers:?}").contains(KEY));
    }

    #[test]
    fn a_placeholder_inside_a_basic_credential_becomes_the_secret() {
        let placeholders = placeholders();
        let key = of(&placeholders, "STRIPE_KEY");
        for scheme in ["Basic", "basic", "BASIC"] {
            let token = STANDARD_NO_PAD.encode(format!("user:{key}"));
            let mut headers = headers("authorization", &format!("{scheme} {token}"));

            let echoes = placeholders.reveal(&mut headers, &stripe()).unwrap();

            let sent = STANDARD.encode(format!("user:{KEY}"));
            assert_eq!(headers["authorization"], format!("Basic {sent}"));
            assert!(headers["authorization"].is_sensitive());

            let mut echo = self::headers("x-echo", &format!("you sent Basic {sent}"));
            echoes.conceal(&mut echo);
            assert_eq!(echo["x-echo"], format!("you sent Basic {token}"));
        }
    }

    #[test]
    fn a_secret_goes_nowhere_but_where_it_is_granted_for() {
        let placeholders = placeholders();
        let key = of(&placeholders, "STRIPE_KEY");
        let to = |scheme, host, path| Destination::new(scheme, host, None, path);
        for destination in [
            to(Scheme::Https, "evil.example", "/v1"),
            to(Scheme::Https, "api.stripe.example.evil.example", "/v1"),
            to(Scheme::Https, "api.stripe.example", "/v2"),
            to(Scheme::Https, "api.stripe.example", "/v1/../v2"),
            to(Scheme::Http, "api.stripe.example", "/v1"),
        ] {
            let basic = format!("Basic {}", STANDARD.encode(format!("{key}:")));
            for value in [key.as_str(), &basic] {
                let refused = placeholders.reveal(&mut headers("authorization", value), &destination).err();
                assert_eq!(refused, Some(NotSent::NotGranted("STRIPE_KEY".to_owned())), "{destination}");
            }
        }
        // One secret that may go there does not open the way for another.
        let both = format!("{} {}", key, of(&placeholders, "TOKEN"));
        let refused = placeholders.reveal(&mut headers("x-keys", &both), &stripe()).err();
        assert_eq!(refused, Some(NotSent::NotGranted("TOKEN".to_owned())));
    }

    #[test]
    fn what_is_no_placeholder_stays_as_it_is() {
        let placeholders = placeholders();
        for value in ["Bearer abc", "Basic !!!", "Basic", "tasker-secret-0000", "STRIPE_KEY"] {
            let mut headers = headers("authorization", value);
            placeholders.reveal(&mut headers, &stripe()).unwrap();
            assert_eq!(headers["authorization"], value);
            assert!(!headers["authorization"].is_sensitive());
        }
    }

    #[test]
    fn a_secret_that_is_no_header_value_is_named_and_not_shown() {
        let secret = Secret {
            name: "PEM".to_owned(),
            value: SecretValue::from("line\nline".to_owned()),
            urls: vec!["https://api.stripe.example".parse().unwrap()],
        };
        let placeholders = Placeholders::new(&[secret]);
        let key = of(&placeholders, "PEM");

        for value in [key.clone(), format!("Basic {}", STANDARD.encode(&key))] {
            let refused = placeholders.reveal(&mut headers("authorization", &value), &stripe()).err();
            assert_eq!(refused, Some(NotSent::NoHeaderValue("PEM".to_owned())));
        }
    }

    #[test]
    fn a_response_that_repeats_a_secret_shows_the_placeholder() {
        let placeholders = placeholders();
        let echoes = placeholders.reveal(&mut HeaderMap::new(), &stripe()).unwrap();
        let mut headers = headers("location", &format!("https://x/?a={KEY}&b={TOKEN}&c={KEY}"));

        echoes.conceal(&mut headers);

        let (key, token) = (of(&placeholders, "STRIPE_KEY"), of(&placeholders, "TOKEN"));
        assert_eq!(headers["location"], format!("https://x/?a={key}&b={token}&c={key}"));
    }

    #[test]
    fn nothing_that_is_printed_shows_a_secret_or_its_placeholder() {
        let placeholders = placeholders();

        assert_eq!(format!("{placeholders:?}"), r#"["STRIPE_KEY", "TOKEN"]"#);
    }

    #[test]
    fn a_secret_of_a_few_letters_is_not_looked_for() {
        let secret = Secret { name: "PIN".to_owned(), value: SecretValue::from("5".to_owned()), urls: Vec::new() };
        let echoes = Placeholders::new(&[secret]).reveal(&mut HeaderMap::new(), &stripe()).unwrap();
        let mut headers = headers("content-length", "1512");

        echoes.conceal(&mut headers);

        assert_eq!(headers["content-length"], "1512");
    }

    #[test]
    fn replacing_finds_every_part_and_no_empty_one() {
        assert_eq!(replaced(b"abcabc", b"bc", b"-").unwrap(), b"a-a-");
        assert_eq!(replaced(b"abc", b"x", b"-"), None);
        assert_eq!(replaced(b"abc", b"", b"-"), None);
        assert_eq!(replaced(b"", b"abc", b"-"), None);
        assert_eq!(replaced(b"aaa", b"aa", b"-").unwrap(), b"-a");
    }
}
