//! `handler`: what the components on the component path carry. Needs no database.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Exit, Failure, Global, output};
use crate::host::{self, Loaded};
use crate::registry::{Handler, HandlerTable, Package};
use crate::sandbox::Sandbox;

#[derive(Debug, Subcommand)]
pub(super) enum HandlerCommand {
    /// List the handlers
    List(Path),
    /// Show one handler and the component it comes from
    Inspect(InspectArgs),
}

#[derive(Debug, Args)]
pub(super) struct Path {
    /// Components: a .wasm file or a directory; may be repeated [default: the configured path]
    #[arg(long = "components", value_name = "PATH")]
    components: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The handler's name, as templates write it
    callable: String,
    /// Only in this namespace
    #[arg(long, short)]
    namespace: Option<String>,
    #[command(flatten)]
    path: Path,
}

#[derive(Serialize)]
struct Shown<'a> {
    namespace: &'a str,
    callable: &'a str,
    version: &'a str,
    methods: &'a [String],
    capabilities: &'a [String],
    component: &'a Package,
}

impl<'a> From<&'a Handler> for Shown<'a> {
    fn from(handler: &'a Handler) -> Self {
        Self {
            namespace: handler.namespace(),
            callable: handler.callable(),
            version: &handler.descriptor.version,
            methods: &handler.descriptor.methods,
            capabilities: &handler.descriptor.capabilities,
            component: &handler.package,
        }
    }
}

impl HandlerCommand {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        match self {
            Self::List(path) => list(global, &load(global, path).await?),
            Self::Inspect(args) => {
                let loaded = load(global, args.path).await?;
                inspect(global, &loaded, &args.callable, args.namespace.as_deref())
            }
        }
    }
}

async fn load(global: &Global, path: Path) -> Result<Loaded, Failure> {
    let mut config = global.config()?;
    if !path.components.is_empty() {
        config.worker.component_path = path.components;
    }
    let sandbox = Sandbox::new(&host::sandbox_settings(&config)).map_err(Failure::cannot_start)?;
    host::load_components(&sandbox, &config.worker.component_path).await.map_err(Failure::cannot_start)
}

/// Ends with 1 when a component could not be loaded: the list is not whole then.
fn list(global: &Global, loaded: &Loaded) -> Result<Exit, Failure> {
    let handlers: Vec<Shown<'_>> = loaded.components.table().iter().map(|handler| Shown::from(&**handler)).collect();
    if global.json {
        output::json(&handlers)?;
    } else {
        for handler in &handlers {
            println!(
                "{:<24} {:<48} {:<8} {}",
                handler.namespace, handler.callable, handler.version, handler.component.name
            );
        }
        if handlers.is_empty() {
            eprintln!("no handler was found on the component path");
        }
    }
    Ok(if loaded.failed == 0 { Exit::Done } else { Exit::NotWell })
}

fn inspect(global: &Global, loaded: &Loaded, callable: &str, namespace: Option<&str>) -> Result<Exit, Failure> {
    let table = loaded.components.table();
    let found = matching(table, callable, namespace)?;
    if global.json {
        output::json(&found)?;
        return Ok(Exit::Done);
    }
    for handler in &found {
        let component = handler.component;
        println!("{}  {}", handler.callable, handler.version);
        println!("  namespace       {}", handler.namespace);
        println!("  methods         {}", handler.methods.join(", "));
        println!("  capabilities    {}", handler.capabilities.join(", "));
        println!("  component       {}", component.path.display());
        println!("  digest          {}", component.digest);
        if let Some(manifest) = &component.manifest {
            println!("  sdk             {} {}", manifest.sdk.name, manifest.sdk.version);
            println!("  engine          {}, componentize-js {}", manifest.engine.name, manifest.engine.componentize_js);
            println!("  initialization  {}: {}", manifest.initialization.mode, manifest.initialization.reason);
        }
    }
    Ok(Exit::Done)
}

fn matching<'a>(table: &'a HandlerTable, callable: &str, namespace: Option<&str>) -> Result<Vec<Shown<'a>>, Failure> {
    if let Some(namespace) = namespace {
        return Ok(vec![Shown::from(&**table.find(namespace, callable).map_err(Failure::not_well)?)]);
    }
    let found: Vec<_> =
        table.iter().filter(|handler| handler.callable() == callable).map(|handler| Shown::from(&**handler)).collect();
    if found.is_empty() {
        return Err(Failure::not_well(anyhow::anyhow!(
            "no component on the path serves {callable:?}; `handler list` shows what they serve"
        )));
    }
    Ok(found)
}
