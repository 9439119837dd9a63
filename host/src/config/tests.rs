//! Settings as people write them, good and bad: each file under `tests/config/` stands beside what is said of it.
//! `SNAPSHOTS=overwrite cargo test config` writes the expectations anew.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use super::*;
use crate::document::golden;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config");

fn variables(set: &[(&str, &str)]) -> BTreeMap<String, String> {
    let home = [("HOME", "/home/ann"), ("HOSTNAME", "rock")];
    home.iter().chain(set).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(path: Option<&Path>, set: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    Config::load(&LoadOptions { path: path.map(Path::to_owned), variables: variables(set) })
}

#[test]
fn limits_and_grants_of_a_namespace_are_its_own_over_those_of_all() {
    let seen = golden::assert_each(Path::new(FILES).join("valid"), "toml", "txt", |name, _| {
        let set = [("CA_DIR", "/etc/ca"), ("DATA_DIR", "/srv/data"), ("STRIPE_KEY", "geheim")];
        let loaded = load(Some(&Path::new(FILES).join("valid").join(name)), &set);
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let worker = &loaded.config.worker;
        let policy = worker.limit_policy();
        let greatest = policy.greatest(limits::Limit::MemoryMb);
        let mut said = format!("{:#?}\ngreatest memory_mb {greatest:?}\n", worker.http);
        for namespace in ["shop", "bakery"] {
            let effective = policy.effective(namespace, &limits::LimitSet::default());
            let greedy = limits::Limit::ALL
                .into_iter()
                .fold(limits::LimitSet::default(), |set, limit| set.with(limit, limit.bounds().1));
            let most = policy.effective(namespace, &greedy);
            let grants = worker.allowed(namespace);
            said +=
                &format!("{namespace} gets {effective:#?}\n{namespace} at most {most:#?}\n{namespace} {grants:#?}\n");
        }
        assert!(!format!("{:?}{said}", loaded.config).contains("geheim"), "{said}");
        assert_eq!(worker.allowed("shop").secrets["STRIPE_KEY"].value.expose(), "geheim");
        said
    });
    assert_eq!(seen, 1);
}

#[test]
fn the_readme_names_every_limit_with_its_default_and_its_ceiling() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, section) = readme.split_once("## Limits and grants").unwrap();
    let policy = load(None, &[]).unwrap().config.worker.limit_policy();
    let greedy = limits::Limit::ALL
        .into_iter()
        .fold(limits::LimitSet::default(), |set, limit| set.with(limit, limit.bounds().1));
    let (defaults, most) = (policy.effective("shop", &limits::LimitSet::default()), policy.effective("shop", &greedy));
    for limit in limits::Limit::ALL {
        let names = |line: &&str| line.split('|').nth(1).is_some_and(|cell| cell.contains(&format!("`{limit}`")));
        let row = section.lines().find(names).unwrap();
        for value in [defaults.get(limit).unwrap(), most.get(limit).unwrap()] {
            let shown = if limit.name().ends_with("_bytes") { bytes(value) } else { with_commas(value) };
            assert!(
                row.contains(&format!("{shown} |")) || row.contains(&format!("{shown},")),
                "{limit} {shown}: {row}"
            );
        }
    }
}

fn bytes(value: u64) -> String {
    let unit = [(30, "GiB"), (20, "MiB"), (10, "KiB")].into_iter().find(|(shift, _)| value >> shift > 0).unwrap();
    format!("{} {}", value >> unit.0, unit.1)
}

fn with_commas(value: u64) -> String {
    let digits = value.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap());
    groups.collect::<Vec<_>>().join(",")
}

fn said_of(folder: &str, name: &str, said: String) -> String {
    said.replace(&format!("{FILES}/{folder}/{name}"), name) + "\n"
}

#[test]
fn every_bad_file_is_refused_with_all_that_is_wrong() {
    let seen = golden::assert_each(Path::new(FILES).join("invalid"), "toml", "err", |name, _| {
        match load(Some(&Path::new(FILES).join("invalid").join(name)), &[]) {
            Ok(_) => panic!("{name} is accepted"),
            Err(error) => {
                let said = error.to_string();
                assert!(!said.contains("geheim") && !said.contains("4711"), "{name} shows a secret: {said}");
                said_of("invalid", name, said)
            }
        }
    });
    assert!(seen >= 10, "{seen} bad files");
}

#[test]
fn what_a_file_says_in_vain_is_a_warning() {
    golden::assert_each(Path::new(FILES).join("ignored"), "toml", "warn", |name, _| {
        let loaded = load(Some(&Path::new(FILES).join("ignored").join(name)), &[]);
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
        said_of("ignored", name, warnings.join("\n"))
    });
}

#[test]
fn the_program_runs_without_any_file_in_every_environment() {
    for environment in Environment::ALL {
        let loaded = load(None, &[("TASKER_ENV", environment.as_str())]).unwrap();
        assert_eq!(loaded.config.environment, environment);
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
    let loaded = load(None, &[]).unwrap();
    assert_eq!(loaded.config.environment, Environment::Development);
    assert_eq!(loaded.config.common.database.url, None);
    assert_eq!(loaded.config.common.queues.lease, Duration::from_secs(30));
    assert_eq!(loaded.config.worker.sandbox.cache_dir, Path::new("/home/ann/.cache/tasker-wasm-host/components"));
    assert!(loaded.config.worker.worker_id.starts_with("wasm-worker-rock-"), "{}", loaded.config.worker.worker_id);
}

#[test]
fn templates_follow_the_environment_unless_a_file_names_another() {
    let environment =
        |path: Option<&Path>, set: &[(&str, &str)]| load(path, set).unwrap().config.common.execution.environment;
    assert_eq!(environment(None, &[]), "development");
    assert_eq!(environment(None, &[("TASKER_ENV", "production")]), "production");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasker.toml");
    fs::write(&file, "[common.execution]\nenvironment = \"staging\"\n").unwrap();
    assert_eq!(environment(Some(&file), &[("TASKER_ENV", "production")]), "staging");
}

#[test]
fn what_is_over_is_kept_and_what_stands_still_is_found_in_times_that_can_be_set() {
    let config = load(None, &[]).unwrap().config.orchestration;
    assert_eq!(config.retention.finished_tasks, Duration::from_secs(30 * 86_400));
    assert_eq!(config.retention.interval, Duration::from_secs(3_600));
    assert_eq!(config.dlq.staleness_detection.interval, Duration::from_secs(300));
    assert_eq!(config.dlq.staleness_detection.thresholds.task_max_lifetime_hours, 24);
    let of = |environment| load(None, &[("TASKER_ENV", environment)]).unwrap().config.orchestration.dlq;
    assert_eq!(of("production").staleness_detection.interval, Duration::from_secs(600));
    assert_eq!(of("test").staleness_detection.interval, Duration::from_secs(60));
}

#[test]
fn later_layers_win_and_are_named_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasker.toml");
    fs::write(&file, "[common.database]\nurl = \"postgres://file/x\"\n[common.queues.pgmq]\npoll_interval_ms = 77\n")
        .unwrap();
    let set =
        [("TASKER_ENV", "test"), ("TASKER_CONFIG_PATH", file.to_str().unwrap()), ("DATABASE_URL", "postgres://env/x")];
    let loaded = load(None, &set).unwrap();
    assert_eq!(loaded.config.common.database.url.unwrap().expose(), "postgres://env/x", "variable over file");
    assert_eq!(loaded.config.common.queues.pgmq.poll_interval, Duration::from_millis(77), "file over environment");
    assert_eq!(loaded.config.orchestration.sweep_interval, Duration::from_secs(1), "environment over base");
    assert_eq!(loaded.config.common.backoff.jitter_max_percentage, 0.15, "base");
    let file = file.display().to_string();
    assert_eq!(
        loaded.sources,
        [
            "config/tasker/base/common.toml (built in)",
            "config/tasker/base/orchestration.toml (built in)",
            "config/tasker/base/worker.toml (built in)",
            "config/tasker/environments/test/common.toml (built in)",
            "config/tasker/environments/test/orchestration.toml (built in)",
            file.as_str(),
            "environment variable DATABASE_URL",
        ]
    );
}

#[test]
fn a_path_of_the_command_line_goes_before_the_variable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("given.toml");
    fs::write(&file, "[worker]\nworker_id = \"given\"\n").unwrap();
    let loaded = load(Some(&file), &[("TASKER_CONFIG_PATH", "/nowhere.toml")]).unwrap();
    assert_eq!(loaded.config.worker.worker_id, "given");
}

#[test]
fn a_folder_is_read_with_its_base_and_its_environment() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, id: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("[worker]\nworker_id = \"{id}\"\n")).unwrap();
    };
    let empty = load(Some(folder.path()), &[]).unwrap_err().to_string();
    assert!(empty.contains("the folder holds no settings"), "{empty}");
    write("base/worker.toml", "base");
    write("environments/test/worker.toml", "test");
    write("environments/production/worker.toml", "production");
    assert_eq!(load(Some(folder.path()), &[]).unwrap().config.worker.worker_id, "base");
    assert_eq!(load(Some(folder.path()), &[("TASKER_ENV", "test")]).unwrap().config.worker.worker_id, "test");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let error = load(Some(Path::new("/nowhere/tasker.toml")), &[]).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/tasker.toml: the settings cannot be read: "), "{error}");
}

#[test]
fn variables_set_their_settings_and_lists_are_split_at_colons() {
    let set = [
        ("TASKER_TEMPLATE_PATH", "/a:/b"),
        ("TASKER_COMPONENT_PATH", "one::two"),
        ("TASKER_WORKER_ID", "w1"),
        ("TASKER_POSTGRES_BIN", "/pg/bin"),
        ("DATABASE_URL", ""),
        ("WORKSPACE_PATH", "/ws"),
    ];
    let config = load(None, &set).unwrap().config;
    assert_eq!(config.common.task_templates.search_paths, [Path::new("/a"), Path::new("/b")]);
    assert_eq!(config.worker.component_path, [Path::new("one"), Path::new("two")]);
    assert_eq!(config.worker.worker_id, "w1");
    assert_eq!(config.common.database.postgres_bin.as_deref(), Some(Path::new("/pg/bin")));
    assert_eq!(config.common.database.url, None, "an empty variable is not set");
    let config = load(None, &[("WORKSPACE_PATH", "/ws")]).unwrap().config;
    assert_eq!(config.common.task_templates.search_paths, [Path::new("/ws/config/tasks")]);
}

#[test]
fn a_bad_variable_is_named_and_its_value_is_not() {
    let set = [("DATABASE_URL", "mysql://root:geheim@db/x"), ("TASKER_ENV", "prodution")];
    let error = load(None, &set).unwrap_err().to_string();
    assert_eq!(
        error,
        "environment variable TASKER_ENV: expected one of `test`, `development`, `production`; did you mean `production`?\n\
         environment variable DATABASE_URL: `common.database.url` is not right; expected a URL such as \
         postgres://user:password@host:5432/database, 1 to 4096 characters"
    );
}

#[test]
fn substitution_takes_the_variable_or_the_default_and_hides_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasker.toml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    write("[worker]\nworker_id = \"${TASKER_INSTANCE_ID:-none}-of-${TASKER_ENV:-nowhere}\"\n");
    assert_eq!(load(Some(&file), &[]).unwrap().config.worker.worker_id, "none-of-nowhere");
    let set = [("TASKER_INSTANCE_ID", "7"), ("TASKER_ENV", "test")];
    assert_eq!(load(Some(&file), &set).unwrap().config.worker.worker_id, "7-of-test");
    write("[worker.sandbox.limits]\nfuel = \"${TASKER_INSTANCE_ID}\"\n");
    let error = load(Some(&file), &[("TASKER_INSTANCE_ID", "geheim")]).unwrap_err().to_string();
    assert!(
        error.contains("`worker.sandbox.limits.fuel` is the value taken from the environment; expected"),
        "{error}"
    );
    assert!(!error.contains("geheim"), "{error}");
}

#[test]
fn variables_of_native_workers_are_warned_about() {
    let loaded = load(None, &[("TASKER_FFI_LIBRARY_PATH", "/lib.so")]).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["environment variable TASKER_FFI_LIBRARY_PATH: ignored: handlers are components; set TASKER_COMPONENT_PATH"]
    );
}

#[test]
fn settings_can_be_printed_without_giving_the_password_away() {
    let loaded = load(None, &[("DATABASE_URL", "postgres://ann:geheim@db/x")]).unwrap();
    let printed = format!("{loaded:?}");
    assert!(printed.contains("postgres://ann:***@db/x") && !printed.contains("geheim"), "{printed}");
}
