//! The migrations are embedded by a macro, which cannot tell cargo about files that are new.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
