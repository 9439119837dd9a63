//! Templates as they were registered: each content is a row that never changes, and tasks point at the exact one.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Store, StoreError};

/// A template to be registered.
#[derive(Debug, Clone)]
pub struct NewTemplate {
    /// Its namespace, 1 to 34 of `[A-Za-z0-9_]`; made, with its queue, when it is new.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// For people.
    pub description: Option<String>,
    /// The whole template as a JSON object.
    pub configuration_json: String,
    /// A digest of the content: the same digest is the same template.
    pub digest: String,
}

/// A registered template.
#[derive(Debug, Clone, FromRow)]
pub struct TemplateRow {
    /// Its key: one for each content.
    pub template_uuid: Uuid,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// For people.
    pub description: Option<String>,
    /// The whole template, a JSON object. Its keys are in PostgreSQL's order.
    pub configuration: Box<RawValue>,
    /// The digest it was registered with.
    pub digest: String,
    /// When it was registered, or registered again after another took its place.
    pub registered_at: DateTime<Utc>,
}

impl Store {
    /// Registers a template and makes it the current one of its name and version. Registering known content answers the
    /// key it has.
    ///
    /// # Errors
    /// The namespace's name is not allowed, or the database fails.
    pub async fn register_template(&self, template: &NewTemplate) -> Result<Uuid, StoreError> {
        let registered = sqlx::query_scalar("select tasker.register_template($1, $2, $3, $4, $5, $6, $7)")
            .bind(Uuid::now_v7())
            .bind(&template.namespace)
            .bind(&template.name)
            .bind(&template.version)
            .bind(&template.description)
            .bind(&template.digest)
            .bind(&template.configuration_json)
            .fetch_one(&self.pool)
            .await;
        registered.map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
            Some("namespaces_queue" | "namespaces_name_check") => {
                StoreError::BadNamespace { namespace: template.namespace.clone() }
            }
            _ => error.into(),
        })
    }

    /// The template with this key.
    ///
    /// # Errors
    /// The database fails.
    pub async fn template(&self, template_uuid: Uuid) -> Result<Option<TemplateRow>, StoreError> {
        let row = sqlx::query_as("select * from tasker.templates where template_uuid = $1").bind(template_uuid);
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// The current template of a name: of that version, or of whichever version was registered last.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_template(
        &self,
        namespace: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Option<TemplateRow>, StoreError> {
        let row = sqlx::query_as(
            "select * from tasker.templates
            where namespace = $1 and name = $2 and ($3::text is null or version = $3)
            order by registered_at desc limit 1",
        )
        .bind(namespace)
        .bind(name)
        .bind(version);
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// The current templates of these namespaces, or of all, by namespace, name and version.
    ///
    /// # Errors
    /// The database fails.
    pub async fn templates(&self, namespaces: Option<&[String]>) -> Result<Vec<TemplateRow>, StoreError> {
        let rows = sqlx::query_as(
            "select distinct on (namespace, name, version) * from tasker.templates
            where $1::text[] is null or namespace = any ($1)
            order by namespace, name, version, registered_at desc",
        );
        Ok(rows.bind(namespaces).fetch_all(&self.pool).await?)
    }

    /// The names of a namespace's templates, in their order.
    ///
    /// # Errors
    /// The database fails.
    pub async fn template_names(&self, namespace: &str) -> Result<Vec<String>, StoreError> {
        let names = sqlx::query_scalar("select distinct name from tasker.templates where namespace = $1 order by name");
        Ok(names.bind(namespace).fetch_all(&self.pool).await?)
    }

    /// Every namespace known, in the order of their names.
    ///
    /// # Errors
    /// The database fails.
    pub async fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar("select name from tasker.namespaces order by name").fetch_all(&self.pool).await?)
    }
}
