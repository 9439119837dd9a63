//! A database for one test, dropped when the test is over.

use sqlx::PgPool;
use tasker_wasm_host::store::Store;
use tasker_wasm_host::store::managed::{ManagedServer, Options};
use uuid::Uuid;

/// A database of its own on the tests' private server.
pub struct TestDatabase {
    /// How a host reaches it.
    pub url: String,
    /// The store, for the test itself.
    pub store: Store,
    name: String,
    pool: PgPool,
    server: ManagedServer,
}

impl TestDatabase {
    /// Creates and migrates a database.
    ///
    /// # Panics
    ///
    /// If there is no server to be had.
    pub async fn create() -> Self {
        let database = Self::create_empty().await;
        database.store.migrate().await.expect("a fresh database can be migrated");
        database
    }

    /// Creates a database with nothing in it.
    ///
    /// # Panics
    ///
    /// If there is no server to be had.
    pub async fn create_empty() -> Self {
        let options = Options {
            data_dir: Some(super::workspace().join("target/test-postgres")),
            supervisor_exe: Some(super::host_binary()),
            ..Options::default()
        };
        let server = ManagedServer::start(options).await.expect("the tests' server starts");
        let name = format!("test_{}", Uuid::now_v7().simple());
        server.create_database(&name).await.expect("the server creates a database");
        let url = server.url(&name);
        let store = Store::connect(&url, 2).await.expect("a fresh database accepts connections");
        let pool = PgPool::connect(&url).await.expect("a fresh database accepts connections");
        Self { url, store, name, pool, server }
    }

    /// Connections for statements that no host makes.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Drops the database. A test that fails leaves it for a look.
    pub async fn drop(self) {
        self.store.close().await;
        self.pool.close().await;
        self.server.drop_database(&self.name).await.expect("the database can be dropped");
    }
}
