//! Grants as they are shown to people and programs: what was asked, what is given, and never a value.

use std::fmt;

use serde::Serialize;

use super::{Access, Asks, Granted};

/// Both sides of a package's grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownGrants<'a> {
    /// What the package asks for.
    pub asked: &'a Asks,
    /// What it gets.
    pub granted: Given,
}

/// What is given, by names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Given {
    http: Vec<GivenHttp>,
    mounts: Vec<GivenMount>,
    env: Vec<String>,
    secrets: Vec<GivenSecret>,
    client: bool,
    events: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct GivenHttp {
    url: String,
    methods: Vec<String>,
    networks: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct GivenMount {
    path: String,
    directory: String,
    access: Access,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct GivenSecret {
    name: String,
    urls: Vec<String>,
}

impl<'a> ShownGrants<'a> {
    /// What `asked` got.
    pub fn new(asked: &'a Asks, granted: &Granted) -> Self {
        let http = granted.http_allowed().map(|allowed| GivenHttp {
            url: allowed.url.to_string(),
            methods: allowed.methods.clone(),
            networks: allowed.networks.iter().map(ToString::to_string).collect(),
        });
        let mounts = granted.mounts.iter().map(|mount| GivenMount {
            path: mount.path.clone(),
            directory: mount.directory.display().to_string(),
            access: mount.access,
        });
        let secrets = granted.secrets.iter().map(|secret| GivenSecret {
            name: secret.name.clone(),
            urls: secret.urls.iter().map(ToString::to_string).collect(),
        });
        let granted = Given {
            http: http.collect(),
            mounts: mounts.collect(),
            env: granted.env.iter().map(|(name, _)| name.clone()).collect(),
            secrets: secrets.collect(),
            client: granted.client,
            events: granted.events,
        };
        Self { asked, granted }
    }
}

/// One line for each thing that is asked for or given, the side first.
impl fmt::Display for ShownGrants<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> = self.asked.lines().iter().map(|line| format!("asked    {line}")).collect();
        let Given { http, mounts, env, secrets, client, events } = &self.granted;
        let mut given = |text: String| lines.push(format!("granted  {text}"));
        for http in http {
            let methods = if http.methods.is_empty() { String::new() } else { format!(" {}", http.methods.join(", ")) };
            let networks = match http.networks.as_slice() {
                [] => String::new(),
                networks => format!(", also in {}", networks.join(", ")),
            };
            given(format!("http to {}{methods}{networks}", http.url));
        }
        for mount in mounts {
            given(format!("{} of {}, {}", mount.path, mount.directory, mount.access));
        }
        if !env.is_empty() {
            given(format!("env {}", env.join(", ")));
        }
        for secret in secrets {
            given(format!("secret {}, sent to {}", secret.name, secret.urls.join(", ")));
        }
        for (name, given_too) in [("client", client), ("events", events)] {
            if *given_too {
                given(name.to_owned());
            }
        }
        f.write_str(&lines.join("\n"))
    }
}
