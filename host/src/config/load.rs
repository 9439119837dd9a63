//! Putting the layers together.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

use super::{
    Config, Environment, layers, legacy, namespaces, shape, substitute,
    variables::{self, Variables},
};
use crate::document::{self, Node, Place, Problem, Report, Value, toml};

/// What the settings are made of. It cannot be printed, for it holds the environment.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// A file or folder laid over what is built in. `None` takes `TASKER_CONFIG_PATH`, if that is set.
    pub path: Option<PathBuf>,
    /// The environment variables. [`LoadOptions::of_process`] takes those of the process; a test brings its own.
    pub variables: BTreeMap<String, String>,
}

impl LoadOptions {
    /// The variables of this process, and the path given on its command line.
    pub fn of_process(path: Option<PathBuf>) -> Self {
        Self { path, variables: variables::of_process() }
    }
}

/// The settings, and what there is to say about them.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What was ignored.
    pub warnings: Vec<Problem>,
    /// The layers that were laid over each other, the last one winning.
    pub sources: Vec<String>,
}

/// Settings that cannot be used. Displayed as one line for each problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", document::lines(.problems))]
pub struct ConfigError {
    /// Everything that is wrong, layer by layer; never empty.
    pub problems: Vec<Problem>,
}

impl Config {
    /// Reads all layers.
    ///
    /// # Errors
    /// A file that cannot be read, or holds a value of the wrong kind or out of bounds. Every layer is read to its end
    /// first.
    pub fn load(options: &LoadOptions) -> Result<Loaded, ConfigError> {
        let variables = &options.variables;
        let mut loading = Loading { variables, tree: None, report: Report::default(), sources: Vec::new() };
        let environment = variables::environment(variables, &mut loading.report);
        legacy::warn_of_variables(variables, &mut loading.report);

        loading.lay_files(layers::built_in(environment));
        loading.lay(defaults_of_machine(variables, environment), Report::default());
        variables::workspace_layer(variables).into_iter().for_each(|layer| loading.lay_variable(layer));
        let named = variables::get(variables, "TASKER_CONFIG_PATH").map(PathBuf::from);
        if let Some(path) = options.path.clone().or(named) {
            match layers::of_path(&path, environment) {
                Ok(sources) => loading.lay_files(sources),
                Err(problem) => loading.report.errors.push(problem),
            }
        }
        variables::layers(variables).into_iter().for_each(|layer| loading.lay_variable(layer));
        loading.finish(environment)
    }
}

/// Layers so far.
struct Loading<'a> {
    variables: &'a Variables,
    tree: Option<Node>,
    report: Report,
    sources: Vec<String>,
}

impl Loading<'_> {
    fn lay_files(&mut self, sources: Vec<layers::Source>) {
        for (name, text) in sources {
            match toml::parse(&Arc::from(name.as_str()), &text) {
                Ok(mut tree) => {
                    let mut report = Report::default();
                    legacy::remove(&mut tree, &mut report);
                    shape::CONFIG.prune(&mut tree, "", &mut report);
                    substitute::substitute(&mut tree, self.variables, &mut report);
                    self.lay(tree, report);
                    self.sources.push(name);
                }
                Err(problems) => self.report.errors.extend(problems),
            }
        }
    }

    fn lay_variable(&mut self, (name, tree): (String, Node)) {
        self.lay(tree, Report::default());
        self.sources.push(name);
    }

    /// Each layer is checked by itself: a value that a later layer replaces is still wrong where it stands. `report` is
    /// what is known of the layer already.
    fn lay(&mut self, tree: Node, mut report: Report) {
        shape::CONFIG.check(&tree, "", &mut report);
        namespaces::check(&tree, &mut report);
        report.sort();
        self.report.append(report);
        match &mut self.tree {
            Some(below) => below.merge(tree),
            None => self.tree = Some(tree),
        }
    }

    fn finish(mut self, environment: Environment) -> Result<Loaded, ConfigError> {
        if let Some(tree) = &self.tree {
            let mut report = Report::default();
            namespaces::check_names(tree, &mut report);
            report.sort();
            self.report.append(report);
        }
        let Report { errors, warnings } = self.report;
        if !errors.is_empty() {
            return Err(ConfigError { problems: errors });
        }
        let json = self.tree.map(|tree| tree.to_json()).unwrap_or_default();
        // The base gives every setting and the shapes check every value: only a slip between them and the model can fail.
        let mut config: Config = serde_json::from_value(json).map_err(|error| ConfigError {
            problems: vec![Problem { at: Place::whole("settings"), message: format!("do not fit: {error}") }],
        })?;
        config.environment = environment;
        Ok(Loaded { config, warnings, sources: self.sources })
    }
}

/// What no file can know: the environment, a name for this host, and this user's cache.
fn defaults_of_machine(variables: &Variables, environment: Environment) -> Node {
    let text = |text: String| Node::new(Value::Text(text), Place::whole("this machine"));
    let worker_id = format!("wasm-worker-{}-{}", hostname(variables), Uuid::now_v7());
    let cache_dir = cache_home(variables).join("tasker-wasm-host").join("components");
    let mut tree = variables::setting_tree("worker.worker_id", text(worker_id));
    let environment = text(environment.as_str().to_owned());
    tree.merge(variables::setting_tree("common.execution.environment", environment));
    tree.merge(variables::setting_tree("worker.sandbox.cache_dir", text(cache_dir.display().to_string())));
    tree
}

fn hostname(variables: &Variables) -> String {
    let of_kernel = || fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    let named = variables::get(variables, "HOSTNAME").map(str::to_owned).or_else(of_kernel);
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

/// The XDG rule: relative paths do not count. A user without a home has a folder of their own among the temporary ones.
fn cache_home(variables: &Variables) -> PathBuf {
    let absolute = |name| variables::get(variables, name).map(Path::new).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .map(Path::to_owned)
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(|| std::env::temp_dir().join(format!("tasker-wasm-host-{}", nix::unistd::geteuid())))
}
