//! `api-key`: who may use the REST API, where nobody is let in without saying who they are.

use chrono::{Duration, Utc};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::operator::ByArgs;
use super::{Exit, Failure, Global, output};
use crate::api::{ApiKeyText, Permission, Permissions};
use crate::host::{Database, FEW_CONNECTIONS};
use crate::store::{ApiKey, NewApiKey, Store};

#[derive(Debug, Subcommand)]
pub(super) enum ApiKeyCommand {
    /// Make a key and show it, this once
    Create(CreateArgs),
    /// List the keys there are and were
    List,
    /// End a key
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// What to call it; what is done with it is kept under this name
    name: String,
    /// What may be done with it, such as tasks:create, tasks:* or *; may be repeated
    #[arg(long = "permission", required = true, value_name = "NAME")]
    permissions: Vec<String>,
    /// Only in this namespace; may be repeated [default: in all]
    #[arg(long = "namespace", short, value_name = "NAME")]
    namespaces: Vec<String>,
    /// Days after which it ends [default: never]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    expires_days: Option<u32>,
    #[command(flatten)]
    by: ByArgs,
}

#[derive(Debug, Args)]
pub(super) struct RevokeArgs {
    /// Its identifier, as `api-key list` shows it
    key: Uuid,
    #[command(flatten)]
    by: ByArgs,
}

impl ApiKeyCommand {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let database = Database::open(&global.config()?, FEW_CONNECTIONS).await.map_err(Failure::cannot_start)?;
        let ended = match self {
            Self::Create(args) => args.execute(global, &database.store).await,
            Self::List => list(global, &database.store).await,
            Self::Revoke(args) => args.execute(&database.store).await,
        };
        database.close().await;
        ended
    }
}

impl CreateArgs {
    async fn execute(self, global: &Global, store: &Store) -> Result<Exit, Failure> {
        let permissions = Permissions::parse(self.permissions.iter().map(String::as_str)).map_err(|error| {
            let known: Vec<_> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
            Failure::not_well(anyhow::anyhow!("{error}; there are {}", known.join(", ")))
        })?;
        let key = ApiKeyText::generate().ok_or_else(|| {
            Failure::cannot_start(anyhow::anyhow!("the machine has no random numbers to make a key of"))
        })?;
        let new = NewApiKey {
            key_uuid: key.key_uuid(),
            name: self.name,
            hash: key.hash(),
            permissions: permissions.names().map(str::to_owned).collect(),
            namespaces: (!self.namespaces.is_empty()).then_some(self.namespaces),
            created_by: self.by.name(),
            expires_at: self.expires_days.map(|days| Utc::now() + Duration::days(days.into())),
        };
        store.create_api_key(&new).await?;
        if global.json {
            output::json(&serde_json::json!({"key_uuid": new.key_uuid, "key": key.expose()}))?;
        } else {
            println!("{}", key.expose());
            eprintln!("send it as X-API-Key; only its hash is kept, so it can't be shown again");
        }
        Ok(Exit::Done)
    }
}

async fn list(global: &Global, store: &Store) -> Result<Exit, Failure> {
    let keys = store.api_keys().await?;
    if global.json {
        output::json(&keys)?;
        return Ok(Exit::Done);
    }
    for key in &keys {
        let namespaces = key.namespaces.as_ref().map_or_else(|| "all namespaces".to_owned(), |names| names.join(", "));
        println!("{}  {:<24} {:<8} {}  {}", key.key_uuid, key.name, state(key), namespaces, key.permissions.join(", "));
    }
    Ok(Exit::Done)
}

fn state(key: &ApiKey) -> &'static str {
    match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(at)) if at <= Utc::now() => "expired",
        (None, _) => "valid",
    }
}

impl RevokeArgs {
    async fn execute(self, store: &Store) -> Result<Exit, Failure> {
        if store.revoke_api_key(self.key, &self.by.name()).await? {
            return Ok(Exit::Done);
        }
        Err(Failure::not_well(anyhow::anyhow!(
            "there is no key {} that has not been revoked; `api-key list` shows those there are",
            self.key
        )))
    }
}
