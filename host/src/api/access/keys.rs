//! API keys: `twh_<identifier>_<secret>`. The database keeps the hash of the secret, and a look at it costs one index
//! lookup a request, so that a key that is revoked opens nothing any more.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::caller::{Caller, Namespaces};
use super::permission::Permissions;
use crate::store::{Store, StoreError};

const PREFIX: &str = "twh_";
const SECRET_BYTES: usize = 32;

/// A key as its owner holds it.
pub struct ApiKeyText {
    key_uuid: Uuid,
    secret: String,
}

impl ApiKeyText {
    /// A new one, which nobody could guess. None if the machine has no randomness to give.
    pub fn generate() -> Option<Self> {
        let mut secret = [0; SECRET_BYTES];
        rustls::crypto::ring::default_provider().secure_random.fill(&mut secret).ok()?;
        Some(Self { key_uuid: Uuid::now_v7(), secret: BASE64_URL_SAFE_NO_PAD.encode(secret) })
    }

    /// Its identifier.
    pub fn key_uuid(&self) -> Uuid {
        self.key_uuid
    }

    /// What is kept of its secret.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }

    /// The whole, to be shown once.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}_{}", self.key_uuid.simple(), self.secret)
    }

    fn parse(text: &str) -> Option<Self> {
        let (identifier, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        Some(Self { key_uuid: Uuid::try_parse(identifier).ok()?, secret: secret.to_owned() })
    }
}

/// Whose key this is; none if it is nobody's.
pub(super) async fn caller(store: &Store, text: &str) -> Result<Option<Caller>, StoreError> {
    let Some(given) = ApiKeyText::parse(text) else { return Ok(None) };
    let Some(known) = store.valid_api_key(given.key_uuid).await? else { return Ok(None) };
    if !bool::from(given.hash().ct_eq(&known.hash)) {
        return Ok(None);
    }
    let permissions = Permissions::parse(known.permissions.iter().map(String::as_str)).unwrap_or_else(|error| {
        tracing::warn!(key = known.name, %error, "an API key has permissions that this host does not know: it may nothing");
        Permissions::default()
    });
    let actor = format!("key:{}", known.name);
    Ok(Some(Caller::new(actor, permissions, Namespaces::named(known.namespaces))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_its_hash_is_not_its_secret() {
        let key = ApiKeyText::generate().unwrap();
        let read = ApiKeyText::parse(&key.expose()).unwrap();
        assert_eq!((read.key_uuid(), read.hash()), (key.key_uuid(), key.hash()));
        assert_ne!(key.hash(), ApiKeyText::generate().unwrap().hash());
    }

    #[test]
    fn what_is_no_key_is_nobodys() {
        for text in
            ["", "twh_", "twh_x_y", "twh_0193a5e000007000800000000000000_s", "key_0193a5e0000070008000000000000001_s"]
        {
            assert!(ApiKeyText::parse(text).is_none(), "{text}");
        }
    }
}
