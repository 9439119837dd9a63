//! Keys of the REST API, as rows: only the hashes of their secrets are kept.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Store, StoreError};

/// A key that is to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Its identifier.
    pub key_uuid: Uuid,
    /// What people call it; also the name under which what is done with it is kept.
    pub name: String,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// What may be done with it.
    pub permissions: Vec<String>,
    /// Where; none for every namespace.
    pub namespaces: Option<Vec<String>>,
    /// Who makes it.
    pub created_by: String,
    /// When it ends to be one; none for never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key, without its secret.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct ApiKey {
    /// Its identifier.
    pub key_uuid: Uuid,
    /// What people call it.
    pub name: String,
    /// What may be done with it.
    pub permissions: Vec<String>,
    /// Where; none for every namespace.
    pub namespaces: Option<Vec<String>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
    /// When it ends to be one; none for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
    /// SHA-256 of its secret.
    #[serde(skip)]
    pub hash: Vec<u8>,
}

impl Store {
    /// Makes a key.
    ///
    /// # Errors
    /// The database fails.
    pub async fn create_api_key(&self, key: &NewApiKey) -> Result<(), StoreError> {
        sqlx::query(
            "with created as (
                insert into tasker.api_keys (key_uuid, name, hash, permissions, namespaces, created_by, expires_at)
                values ($1, $2, $3, $4, $5, $6, $7)
            )
            insert into tasker.operator_actions (actor, action, kind, subject, reason)
            values ($6, 'create', 'api_key', $1::text, $2)",
        )
        .bind(key.key_uuid)
        .bind(&key.name)
        .bind(&key.hash[..])
        .bind(&key.permissions)
        .bind(&key.namespaces)
        .bind(&key.created_by)
        .bind(key.expires_at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The key of this identifier, if it is neither revoked nor expired.
    ///
    /// # Errors
    /// The database fails.
    pub async fn valid_api_key(&self, key: Uuid) -> Result<Option<ApiKey>, StoreError> {
        let found = sqlx::query_as(
            "select * from tasker.api_keys
            where key_uuid = $1 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())",
        );
        Ok(found.bind(key).fetch_optional(&self.pool).await?)
    }

    /// Every key there is or was, newest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        Ok(sqlx::query_as("select * from tasker.api_keys order by key_uuid desc").fetch_all(&self.pool).await?)
    }

    /// Ends a key. Says whether there was one that had not ended.
    ///
    /// # Errors
    /// The database fails.
    pub async fn revoke_api_key(&self, key: Uuid, by: &str) -> Result<bool, StoreError> {
        let revoked = sqlx::query(
            "with revoked as (
                update tasker.api_keys set revoked_at = clock_timestamp(), revoked_by = $2
                where key_uuid = $1 and revoked_at is null
                returning key_uuid, name
            )
            insert into tasker.operator_actions (actor, action, kind, subject, reason)
            select $2, 'revoke', 'api_key', key_uuid::text, name from revoked",
        );
        Ok(revoked.bind(key).bind(by).execute(&self.pool).await?.rows_affected() > 0)
    }
}
