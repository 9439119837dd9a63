//! Makes the server's programs runnable where they are not.
//!
//! Two things stand in the way. A package from npm cannot carry symbolic links; its install script makes them, and
//! install scripts are often not run (`--ignore-scripts`), so the libraries of the server are not found. And a server
//! that root starts runs as another user, who cannot reach programs below a closed folder such as `/root`. Either way
//! the whole installation is mirrored, by hard links where possible, beside the data; nothing outside is changed.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use super::error::ManagedError;
use super::home::Home;
use super::identity::RunAs;

/// One entry of npm's `pg-symlinks.json`: paths from the package's folder, `native/lib/libpq.so`.
#[derive(serde::Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// Whether `prefix`, the parent of the programs' folder, comes from npm and its links were not made.
pub(super) fn lacks_links(prefix: &Path) -> bool {
    links(prefix).iter().any(|(_, target)| fs::symlink_metadata(prefix.join(target)).is_err())
}

/// The folder to run the programs in `bin` from: `bin` itself, or that of a mirror in `home`, made when it is missing
/// or of another installation. Only the supervisor calls this, so there is never a second one at it.
pub(super) fn runnable(bin: &Path, home: &Home, run_as: &RunAs) -> Result<PathBuf, ManagedError> {
    let (Some(prefix), Some(name)) = (bin.parent(), bin.file_name()) else {
        return Ok(bin.to_owned());
    };
    if !lacks_links(prefix) && run_as.can_enter(bin) {
        return Ok(bin.to_owned());
    }
    let mirror = home.programs();
    let stamp = stamp(bin).map_err(ManagedError::path("read", bin))?;
    let stamp_path = mirror.join("of");
    if fs::read_to_string(&stamp_path).is_ok_and(|found| found == stamp) {
        return Ok(mirror.join(name));
    }
    let partial = mirror.with_extension("partial");
    for old in [&partial, &mirror] {
        remove_tree(old).map_err(ManagedError::path("remove", old))?;
    }
    copy_tree(prefix, &partial).map_err(ManagedError::path("mirror PostgreSQL's programs to", &partial))?;
    for (source, target) in links(prefix) {
        make_link(&partial, &source, &target).map_err(ManagedError::path("link a library in", &partial))?;
    }
    fs::write(partial.join("of"), stamp).map_err(ManagedError::path("write", &stamp_path))?;
    fs::rename(&partial, &mirror).map_err(ManagedError::path("rename", &partial))?;
    Ok(mirror.join(name))
}

/// Removes a folder with all that is in it; one that is missing is no error.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// What tells one installation from another without reading it.
fn stamp(bin: &Path) -> io::Result<String> {
    let server = fs::metadata(bin.join("postgres"))?;
    Ok(format!("{} {} {}.{}\n", bin.display(), server.len(), server.mtime(), server.mtime_nsec()))
}

/// (existing file, link to make) from `prefix`. Entries that lead out of the installation are left out.
fn links(prefix: &Path) -> Vec<(PathBuf, PathBuf)> {
    let Ok(text) = fs::read(prefix.join("pg-symlinks.json")) else {
        return Vec::new();
    };
    let links: Vec<Link> = serde_json::from_slice(&text).unwrap_or_default();
    let inside = |path: PathBuf| {
        let path = path.strip_prefix(prefix.file_name()?).ok()?.to_owned();
        path.components().all(|part| matches!(part, Component::Normal(_))).then_some(path)
    };
    links.into_iter().filter_map(|link| Some((inside(link.source)?, inside(link.target)?))).collect()
}

fn make_link(root: &Path, source: &Path, target: &Path) -> io::Result<()> {
    let up: PathBuf = target.parent().into_iter().flat_map(Path::components).map(|_| Component::ParentDir).collect();
    match symlink(up.join(source), root.join(target)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&source, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if source.extension() != Some(OsStr::new("a")) {
            mirror_file(&source, &target)?;
        }
    }
    Ok(())
}

/// A hard link if everyone may read the file; else, and across file systems, a copy everyone may read.
fn mirror_file(source: &Path, target: &Path) -> io::Result<()> {
    let mode = fs::metadata(source)?.permissions().mode();
    let open = 0o444 | if mode & 0o100 != 0 { 0o111 } else { 0 };
    if mode & open == open && fs::hard_link(source, target).is_ok() {
        return Ok(());
    }
    fs::copy(source, target)?;
    fs::set_permissions(target, fs::Permissions::from_mode(mode | open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_links_are_made_in_the_mirror_and_the_installation_is_left_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let prefix = root.path().join("package/native");
        for dir in ["bin", "lib"] {
            fs::create_dir_all(prefix.join(dir)).unwrap();
        }
        fs::write(prefix.join("bin/postgres"), "server").unwrap();
        fs::write(prefix.join("lib/libicu.so.60.2"), "library").unwrap();
        fs::write(
            prefix.join("pg-symlinks.json"),
            r#"[{"source":"native/lib/libicu.so.60.2","target":"native/lib/libicu.so.60"},
                {"source":"native/../../secret","target":"native/lib/secret"}]"#,
        )
        .unwrap();
        assert!(lacks_links(&prefix));
        let home = Home::prepare(&root.path().join("home")).unwrap();
        let bin = runnable(&prefix.join("bin"), &home, &RunAs::Caller).unwrap();
        assert_eq!(bin, home.programs().join("bin"));
        assert_eq!(fs::read_to_string(home.programs().join("lib/libicu.so.60")).unwrap(), "library");
        assert!(fs::symlink_metadata(home.programs().join("lib/secret")).is_err());
        assert!(lacks_links(&prefix));
    }

    #[test]
    fn another_installation_replaces_the_mirror() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::prepare(&root.path().join("home")).unwrap();
        for content in ["old", "newer"] {
            let prefix = root.path().join(content).join("native");
            fs::create_dir_all(prefix.join("bin")).unwrap();
            fs::create_dir_all(prefix.join("lib")).unwrap();
            fs::write(prefix.join("bin/postgres"), content).unwrap();
            fs::write(prefix.join("pg-symlinks.json"), r#"[{"source":"native/lib/a","target":"native/lib/b"}]"#)
                .unwrap();
            let bin = runnable(&prefix.join("bin"), &home, &RunAs::Caller).unwrap();
            assert_eq!(fs::read_to_string(bin.join("postgres")).unwrap(), content);
        }
    }
}
