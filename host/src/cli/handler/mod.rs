//! `handler`: what the components on the component path carry, what they may have, and what they do when they are called.
//! Needs no database.

mod invoke;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::client::{Client, ReachArgs};
use super::{Exit, Failure, Global, output};
use crate::config::limits::Limit;
use crate::config::{Config, Worker};
use crate::grants::ShownGrants;
use crate::host::{self, Loaded, ServedHandler};
use crate::registry::{Handler, HandlerTable, Package};
use crate::sandbox::Sandbox;

#[derive(Debug, Subcommand)]
pub(super) enum HandlerCommand {
    /// List the handlers of the components here, or those that a server serves
    List(ListArgs),
    /// Show one handler, its limits and grants, and the component it comes from
    Inspect(InspectArgs),
    /// Call a handler in the sandbox and show its outcome, its log and what it used
    Invoke(invoke::InvokeArgs),
}

#[derive(Debug, Args)]
pub(super) struct Path {
    /// Components: a .wasm file or a directory; may be repeated [default: the configured path]
    #[arg(long = "components", value_name = "PATH")]
    components: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    reach: ReachArgs,
    #[command(flatten)]
    path: Path,
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

/// A handler, and what it may have under this host's settings.
#[derive(Serialize)]
struct Inspected<'a> {
    #[serde(flatten)]
    handler: Shown<'a>,
    limits: Vec<ShownLimit>,
    grants: ShownGrants<'a>,
}

/// A limit of a step whose template says nothing of it.
#[derive(Serialize)]
struct ShownLimit {
    limit: &'static str,
    value: u64,
    /// What the author asks for; the ceiling may be lower.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<u64>,
}

impl<'a> Inspected<'a> {
    fn of(handler: &'a Handler, worker: &Worker) -> Self {
        let asked = handler.limits();
        let effective = worker.limit_policy().effective(handler.namespace(), &asked);
        let limit = |(limit, value): (Limit, u64)| ShownLimit { limit: limit.name(), value, asked: asked.get(limit) };
        // What is served has been granted.
        let granted = host::grant(&handler.package, worker).unwrap_or_default();
        Self {
            handler: Shown::from(handler),
            limits: effective.iter().map(limit).collect(),
            grants: ShownGrants::new(&handler.package.asks, &granted),
        }
    }
}

impl std::fmt::Display for ShownLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<19} {:>13}", self.limit, self.value)?;
        match self.asked {
            Some(asked) if asked > self.value => write!(f, "  lowered to the ceiling, {asked} asked for"),
            Some(_) => f.write_str("  asked for"),
            None => Ok(()),
        }
    }
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
            Self::List(args) if args.reach.is_remote() => {
                args.reach.speak(global, async |client| served(global, client).await).await
            }
            Self::List(args) => list(global, &load(global, args.path).await?.loaded),
            Self::Inspect(args) => {
                let found = load(global, args.path).await?;
                inspect(global, &found, &args.callable, args.namespace.as_deref())
            }
            Self::Invoke(args) => args.execute(global).await,
        }
    }
}

/// Components, and what they run in.
struct Found {
    loaded: Loaded,
    config: Config,
    sandbox: Sandbox,
}

async fn load(global: &Global, path: Path) -> Result<Found, Failure> {
    let mut config = global.config()?;
    if !path.components.is_empty() {
        config.worker.component_path = path.components;
    }
    let sandbox = Sandbox::new(&host::sandbox_settings(&config)).map_err(Failure::cannot_start)?;
    let loaded = host::load_components(&sandbox, &config.worker).await.map_err(Failure::cannot_start)?;
    loaded.report(&[]);
    Ok(Found { loaded, config, sandbox })
}

async fn served(global: &Global, client: &Client) -> Result<Exit, Failure> {
    let handlers: Vec<ServedHandler> = client.get("/v1/handlers").await?;
    if global.json {
        output::json(&handlers)?;
        return Ok(Exit::Done);
    }
    for handler in &handlers {
        line(&handler.namespace, &handler.callable, &handler.version, &handler.component);
    }
    if handlers.is_empty() {
        eprintln!("the server serves no handler that you may see");
    }
    Ok(Exit::Done)
}

fn line(namespace: &str, callable: &str, version: &str, component: &str) {
    println!("{namespace:<24} {callable:<48} {version:<8} {component}");
}

/// Ends with 1 when a component could not be loaded: the list is not whole then.
fn list(global: &Global, loaded: &Loaded) -> Result<Exit, Failure> {
    let handlers: Vec<Shown<'_>> = loaded.components.table().iter().map(|handler| Shown::from(&**handler)).collect();
    if global.json {
        output::json(&handlers)?;
    } else {
        for handler in &handlers {
            line(handler.namespace, handler.callable, handler.version, &handler.component.name);
        }
        if handlers.is_empty() {
            eprintln!("no handler was found on the component path");
        }
    }
    Ok(if loaded.left_out.is_empty() { Exit::Done } else { Exit::NotWell })
}

fn inspect(global: &Global, found: &Found, callable: &str, namespace: Option<&str>) -> Result<Exit, Failure> {
    let table = found.loaded.components.table();
    let matching = matching(table, callable, namespace)?;
    let found: Vec<_> = matching.into_iter().map(|handler| Inspected::of(handler, &found.config.worker)).collect();
    if global.json {
        output::json(&found)?;
        return Ok(Exit::Done);
    }
    for Inspected { handler, limits, grants } in &found {
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
        under("limits", limits.iter().map(ToString::to_string));
        under("grants", grants.to_string().lines().map(str::to_owned));
    }
    Ok(Exit::Done)
}

/// Lines under one word, or `none`.
fn under(word: &str, lines: impl Iterator<Item = String>) {
    let mut word = word;
    for line in lines {
        println!("  {word:<15} {line}");
        word = "";
    }
    if !word.is_empty() {
        println!("  {word:<15} none");
    }
}

fn matching<'a>(table: &'a HandlerTable, callable: &str, namespace: Option<&str>) -> Result<Vec<&'a Handler>, Failure> {
    if let Some(namespace) = namespace {
        return Ok(vec![table.find(namespace, callable).map_err(Failure::not_well)?]);
    }
    let found: Vec<_> =
        table.iter().map(|handler| &**handler).filter(|handler| handler.callable() == callable).collect();
    if found.is_empty() {
        return Err(Failure::not_well(anyhow::anyhow!(
            "no component on the path serves {callable:?}; `handler list` shows what they serve"
        )));
    }
    Ok(found)
}
