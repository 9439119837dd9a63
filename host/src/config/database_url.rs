//! A database URL that cannot be logged by accident.

use std::fmt;

use serde::Deserialize;

/// `postgres://user:password@host:port/database`. Printed, it shows everything but passwords.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL with its password, for connecting and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text can be one: what a connection makes of the rest is its own affair.
    pub(super) fn is_valid(text: &str) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Display for DatabaseUrl {
    /// A password may hold any character when its author forgot to escape it, so everything between the first colon
    /// and the last `@` is hidden: rather too much than a part of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        write!(f, "{scheme}://")?;
        let rest = match rest.rsplit_once('@') {
            Some((userinfo, rest)) => {
                match userinfo.split_once(':') {
                    Some((user, _)) => write!(f, "{user}:***@")?,
                    None => write!(f, "{userinfo}@")?,
                }
                rest
            }
            None => rest,
        };
        let (target, query) = rest.split_once('?').map_or((rest, None), |(target, query)| (target, Some(query)));
        f.write_str(target)?;
        for (index, pair) in query.iter().flat_map(|query| query.split('&')).enumerate() {
            let key = pair.split('=').next().unwrap_or_default();
            let shown =
                if key.to_ascii_lowercase().contains("password") { format!("{key}=***") } else { pair.to_owned() };
            write!(f, "{}{shown}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        for (url, shown) in [
            ("postgres://ann:geheim@db:5432/x?sslmode=require", "postgres://ann:***@db:5432/x?sslmode=require"),
            ("postgres://ann:ge/h@ei:m@db/x", "postgres://ann:***@db/x"),
            ("postgres://ann@db/x", "postgres://ann@db/x"),
            (
                "postgresql://db/x?user=ann&password=geheim&sslPassword=geheim",
                "postgresql://db/x?user=ann&password=***&sslPassword=***",
            ),
            ("postgres:///x?host=/run/postgresql", "postgres:///x?host=/run/postgresql"),
            ("postgres://ann:geheim?@db/x", "postgres://ann:***@db/x"),
        ] {
            let url = DatabaseUrl::from(url.to_owned());
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("DatabaseUrl({shown})"));
        }
    }
}
