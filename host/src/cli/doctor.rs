//! `doctor`: whether this installation is well, and whether its sandbox holds.

use clap::Args;
use serde::Serialize;

use super::{Exit, Failure, Global, output};
use crate::config::Config;
use crate::doctor::{self, Finding};
use crate::host::{self, Database, FEW_CONNECTIONS};
use crate::sandbox::Sandbox;
use crate::template;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Attack the sandbox and show what came of each attack
    #[arg(long)]
    sandbox: bool,
}

/// What was looked at.
#[derive(Serialize)]
struct Check {
    what: &'static str,
    well: bool,
    says: String,
}

impl Check {
    fn of(what: &'static str, says: Result<String, impl std::fmt::Display>) -> Self {
        match says {
            Ok(says) => Self { what, well: true, says },
            Err(error) => Self { what, well: false, says: error.to_string() },
        }
    }
}

impl DoctorArgs {
    pub(super) async fn execute(self, global: &Global) -> Result<Exit, Failure> {
        let config = global.config()?;
        if self.sandbox { attack(global, &config).await } else { check(global, &config).await }
    }
}

async fn check(global: &Global, config: &Config) -> Result<Exit, Failure> {
    let mut checks = Vec::new();
    match Sandbox::new(&host::sandbox_settings(config)) {
        Ok(sandbox) => {
            checks.push(Check::of("sandbox", Ok::<_, String>(sandbox.facts().to_string())));
            checks.push(components(config, &sandbox).await);
        }
        Err(error) => checks.push(Check::of("sandbox", Err(error))),
    }
    checks.push(templates(config));
    checks.push(Check::of("database", database(config).await));
    if global.json {
        output::json(&checks)?;
    } else {
        for Check { what, well, says } in &checks {
            println!(
                "{:<6} {what:<12} {}",
                if *well { "well" } else { "UNWELL" },
                says.replace('\n', "\n                    ")
            );
        }
    }
    Ok(if checks.iter().all(|check| check.well) { Exit::Done } else { Exit::NotWell })
}

async fn components(config: &Config, sandbox: &Sandbox) -> Check {
    let says = match host::load_components(sandbox, &config.worker).await {
        Err(error) => Err(error.to_string()),
        Ok(loaded) if !loaded.left_out.is_empty() => {
            Err(format!("{} are left out; the log says why", loaded.left_out.len()))
        }
        Ok(loaded) => Ok(format!("{} handlers", loaded.components.table().iter().count())),
    };
    Check::of("components", says)
}

fn templates(config: &Config) -> Check {
    let (mut found, mut wrong) = (0, Vec::new());
    for folder in &config.common.task_templates.search_paths {
        let scan = template::scan(folder);
        found += scan.templates.len();
        wrong.extend(scan.errors.iter().map(ToString::to_string));
    }
    let says = if wrong.is_empty() { Ok(format!("{found} templates")) } else { Err(wrong.join("\n")) };
    Check::of("templates", says)
}

async fn database(config: &Config) -> anyhow::Result<String> {
    let database = Database::connect(config, FEW_CONNECTIONS).await?;
    let status = database.store.migration_status().await;
    let target = database.store.target().to_owned();
    database.close().await;
    let status = status?;
    anyhow::ensure!(status.is_current(), "{target}: the schema is not up to date; `db migrate` brings it up to date");
    Ok(target)
}

async fn attack(global: &Global, config: &Config) -> Result<Exit, Failure> {
    let directory = tempfile::tempdir()?;
    let mut settings = host::sandbox_settings(config);
    // Compiled attacks do not belong among compiled handlers.
    settings.cache_dir = directory.path().join("cache");
    let sandbox = Sandbox::new(&settings).map_err(Failure::cannot_start)?;
    let findings = doctor::attack(&sandbox, directory.path()).await?;
    let breaches = findings.iter().filter(|finding| !finding.held).count();
    if global.json {
        output::json(&findings)?;
    } else {
        println!("{}\n", sandbox.facts());
        println!("{:<7} {:<10} {:<46} {:<22} {:>7}  ended", "", "attack on", "which", "expected", "ms");
        findings.iter().for_each(row);
        println!("\n{} attacks, {breaches} breaches", findings.len());
    }
    Ok(if breaches == 0 { Exit::Done } else { Exit::NotWell })
}

fn row(finding: &Finding) {
    let Finding { target, attack, expected, ended, millis, held } = finding;
    println!(
        "{:<7} {target:<10} {attack:<46} {expected:<22} {millis:>7}  {ended}",
        if *held { "held" } else { "BREACH" }
    );
}
