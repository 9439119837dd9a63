//! The component that each package of a namespace last ran as.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::FromRow;

use super::{Store, StoreError};

/// A component that a host found on its path.
#[derive(Debug, Clone)]
pub struct FoundComponent {
    /// The namespace it serves.
    pub namespace: String,
    /// Name of its package.
    pub name: String,
    /// SHA-256 of the file, hex.
    pub digest: String,
    /// What it asks to reach, a JSON object.
    pub asks_json: String,
    /// Whether the host runs it. One that is left out is not recorded, and only compared.
    pub runs: bool,
}

/// What was known of a component before.
#[derive(Debug, Clone, FromRow)]
pub struct KnownComponent {
    /// The namespace it serves.
    pub namespace: String,
    /// Name of its package.
    pub name: String,
    /// SHA-256 of the file that last ran, hex.
    pub digest: String,
    /// What that one asked to reach.
    pub asks: Box<RawValue>,
    /// When a host last started with it.
    pub last_run_at: DateTime<Utc>,
}

/// The component that a package last ran as.
#[derive(Debug, Clone, Serialize, Deserialize, FromRow, utoipa::ToSchema)]
pub struct ComponentView {
    /// The namespace it serves.
    pub namespace: String,
    /// Name of its package.
    pub name: String,
    /// SHA-256 of the file, hex.
    pub digest: String,
    /// What it asks to reach, a JSON object.
    #[schema(value_type = Object)]
    pub asks: Box<RawValue>,
    /// When a host first started with the package.
    pub first_run_at: DateTime<Utc>,
    /// Since when it is this file.
    pub changed_at: DateTime<Utc>,
    /// When a host last started with it.
    pub last_run_at: DateTime<Utc>,
}

impl Store {
    /// The component that each package of these namespaces, or of all, last ran as.
    ///
    /// # Errors
    /// The database fails.
    pub async fn components(&self, namespaces: Option<&[String]>) -> Result<Vec<ComponentView>, StoreError> {
        let known = sqlx::query_as(
            "select * from tasker.components where $1::text[] is null or namespace = any ($1) order by namespace, name",
        );
        Ok(known.bind(namespaces).fetch_all(&self.pool).await?)
    }

    /// Records the components this host runs, in one commit, and answers what was known of all of them before.
    ///
    /// # Errors
    /// The database fails.
    pub async fn record_components(&self, found: &[FoundComponent]) -> Result<Vec<KnownComponent>, StoreError> {
        let texts = |of: fn(&FoundComponent) -> &String| found.iter().map(|one| of(one).as_str()).collect::<Vec<_>>();
        let known = sqlx::query_as("select * from tasker.record_components($1, $2, $3, $4, $5)")
            .bind(texts(|one| &one.namespace))
            .bind(texts(|one| &one.name))
            .bind(texts(|one| &one.digest))
            .bind(texts(|one| &one.asks_json))
            .bind(found.iter().map(|one| one.runs).collect::<Vec<_>>());
        Ok(known.fetch_all(&self.pool).await?)
    }
}
