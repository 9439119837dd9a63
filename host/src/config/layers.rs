//! Where the text of each layer comes from.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Environment;
use crate::document::{Place, Problem};

/// A file's name in messages, and its text.
pub(super) type Source = (String, String);

macro_rules! built_in {
    ($($path:literal),+ $(,)?) => {
        &[$((concat!("config/tasker/", $path), include_str!(concat!("../../../config/tasker/", $path)))),+]
    };
}

const BASE: &[(&str, &str)] = built_in!["base/common.toml", "base/orchestration.toml", "base/worker.toml"];
const TEST: &[(&str, &str)] = built_in!["environments/test/common.toml", "environments/test/orchestration.toml"];
const DEVELOPMENT: &[(&str, &str)] = built_in!["environments/development/orchestration.toml"];
const PRODUCTION: &[(&str, &str)] = built_in!["environments/production/orchestration.toml"];

/// The files that are part of the program.
pub(super) fn built_in(environment: Environment) -> Vec<Source> {
    let of_environment = match environment {
        Environment::Test => TEST,
        Environment::Development => DEVELOPMENT,
        Environment::Production => PRODUCTION,
    };
    let files = BASE.iter().chain(of_environment);
    files.map(|(path, text)| (format!("{path} (built in)"), (*text).to_owned())).collect()
}

/// The files of a path: itself, or in a folder its `*.toml`, then those of `base/` and `environments/<environment>/`, by
/// name. A folder without any is an error, for it is not what was meant.
pub(super) fn of_path(path: &Path, environment: Environment) -> Result<Vec<Source>, Problem> {
    let files = if path.is_dir() {
        let folders = [path.to_owned(), path.join("base"), path.join("environments").join(environment.as_str())];
        let mut files = Vec::new();
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            files.extend(toml_files(folder).map_err(|error| cannot_read(folder, &error))?);
        }
        files
    } else {
        vec![path.to_owned()]
    };
    if files.is_empty() {
        let message = format!(
            "the folder holds no settings; expected *.toml, base/*.toml or environments/{}/*.toml",
            environment.as_str()
        );
        return Err(Problem { at: Place::whole(path.display().to_string()), message });
    }
    files
        .into_iter()
        .map(|file| match fs::read_to_string(&file) {
            Ok(text) => Ok((file.display().to_string(), text)),
            Err(error) => Err(cannot_read(&file, &error)),
        })
        .collect()
}

fn toml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    let mut files: Vec<_> = paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml") && path.is_file())
        .collect();
    files.sort();
    Ok(files)
}

fn cannot_read(path: &Path, error: &io::Error) -> Problem {
    let message = format!("the settings cannot be read: {error}");
    Problem { at: Place::whole(path.display().to_string()), message }
}
