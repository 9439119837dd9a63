//! Attempts in this process: a package in a sandbox, without host and database.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tasker_wasm_host::grants::Granted;
use tasker_wasm_host::registry::{Package, scan};
use tasker_wasm_host::sandbox::{
    AttemptReport, CheckpointSink, ComponentInfo, HandlerRef, HttpSettings, Invocation, Limits, Prepared, Sandbox,
    SandboxSettings, StepContext,
};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{package, workspace};

/// A package that can be called.
#[derive(Debug, Clone)]
pub struct Guest {
    sandbox: Sandbox,
    prepared: Arc<Prepared>,
}

impl Guest {
    /// The built package of this name, see [`package`], with these grants.
    ///
    /// # Panics
    ///
    /// If it has not been built, or does not fit this host.
    pub async fn prepare(name: &str, granted: Granted) -> Self {
        let sandbox = sandbox().await.clone();
        let prepared = sandbox.prepare(&built_package(name), granted).await.expect("the package fits this host");
        Self { sandbox, prepared }
    }

    /// What the package says of itself.
    ///
    /// # Panics
    ///
    /// If it cannot.
    pub async fn describe(&self) -> ComponentInfo {
        self.sandbox.describe(&self.prepared).await.expect("the package describes itself")
    }

    /// Runs the handler with `input` as the task's context. Progress is taken and forgotten.
    ///
    /// # Panics
    ///
    /// If the host could not make the attempt.
    pub async fn run(&self, callable: &str, input: Value, limits: Limits) -> AttemptReport {
        let checkpoints = Some(CheckpointSink::new(async |_progress| Ok(())));
        let context = StepContext {
            task_uuid: Uuid::now_v7(),
            step_uuid: Uuid::now_v7(),
            correlation_id: Uuid::now_v7(),
            handler: HandlerRef { callable: callable.to_owned(), method: None, resolver: None },
            attempts: 0,
            max_attempts: 3,
            event: event(input),
        };
        let invocation = Invocation { checkpoints, ..Invocation::new(context, limits) };
        self.sandbox.invoke(&self.prepared, invocation).await.expect("the host makes the attempt")
    }
}

/// One sandbox for all tests of a process: attempts share nothing else.
async fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceCell<Sandbox> = OnceCell::const_new();
    SANDBOX
        .get_or_init(|| async {
            let settings = SandboxSettings {
                cache_dir: workspace().join("target/tmp/compile-cache"),
                max_concurrent: 32,
                max_memory_bytes: 256 << 20,
                max_computing: 1,
                http: HttpSettings::default(),
            };
            Sandbox::new(&settings).expect("a sandbox")
        })
        .await
}

/// The one package that was built in this folder, see [`package`].
///
/// # Panics
///
/// If it has not been built.
pub fn built_package(name: &str) -> Package {
    let dist: PathBuf = package(name).join("dist");
    let mut packages = scan(std::slice::from_ref(&dist)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(packages.len(), 1, "{} holds one component", dist.display());
    packages.remove(0)
}

/// An event as the host composes it, of a task with this context.
fn event(context: Value) -> String {
    let uuid = "0193a5e0-0000-7000-8000-000000000001";
    json!({
        "eventId": uuid, "taskUuid": uuid, "stepUuid": uuid, "correlationId": uuid,
        "task": {
            "taskUuid": uuid, "name": "test", "namespace": "test", "version": "1.0.0", "context": context,
            "correlationId": uuid, "priority": 0, "initiator": "test", "sourceSystem": "test", "reason": "test",
            "tags": [], "createdAt": "2026-01-01T00:00:00Z"
        },
        "workflowStep": {
            "workflowStepUuid": uuid, "name": "test", "retryable": true, "attempts": 0, "maxAttempts": 3, "inputs": {},
            "createdAt": "2026-01-01T00:00:00Z"
        },
        "stepDefinition": {
            "name": "test", "description": "", "dependencies": [], "timeoutSeconds": null, "handlerCallable": "test",
            "handlerMethod": null, "handlerResolver": null, "handlerInitialization": {}, "retryable": true,
            "maxAttempts": 3, "backoff": "exponential", "backoffBaseMs": 1000, "maxBackoffMs": 30000
        },
        "dependencyResults": {},
    })
    .to_string()
}
