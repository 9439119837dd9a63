//! Hand-written components: the smallest handler there is (`floor.wat`), with another body and with imports.
//!
//! They need no toolchain, take milliseconds to compile, and do exactly what is written.

use std::fmt::Write as _;

/// The smallest handler component: takes any step context and succeeds with `{}`.
pub(crate) const FLOOR: &str = include_str!("floor.wat");

/// The floor guest with other text in place of its function `handle`.
pub(crate) fn guest(handle: &str) -> String {
    let (before, rest) = FLOOR.split_once(";; begin handle").unwrap_or((FLOOR, ""));
    let (_, after) = rest.split_once(";; end handle").unwrap_or(("", ""));
    format!("{before}{handle}{after}")
}

/// A guest whose `handle` has this body; the parameter is `$context`, the result the address of an outcome (256: success).
pub(crate) fn handling(body: &str) -> String {
    guest(&format!(r#"(func $handle (export "handle") (param $context i32) (result i32) {body})"#))
}

/// A data segment that holds this text.
pub(crate) fn data(at: u32, text: &str) -> String {
    let mut bytes = String::new();
    for byte in text.bytes() {
        let _ = write!(bytes, "\\{byte:02x}");
    }
    format!(r#"(data (i32.const {at}) "{bytes}")"#)
}

/// A function of an imported interface, as the core module calls it.
pub(crate) struct Lowered {
    /// Its name in the core module, without `$`.
    pub(crate) name: &'static str,
    /// The component's function: `func $instance "name"`.
    pub(crate) of: &'static str,
    /// Its core type, such as `(param i32) (result i32)`.
    pub(crate) core: &'static str,
}

/// The floor guest with imports: `declared` is what the component imports, `lowered` what its module calls of it.
///
/// A lowered function needs a memory before the guest has one, so the memory moves into a module of its own.
pub(crate) fn importing<'a>(declared: &str, lowered: impl IntoIterator<Item = &'a Lowered>, handle: &str) -> String {
    let (mut lowers, mut imports, mut exports) = (String::new(), String::new(), String::new());
    for Lowered { name, of, core } in lowered {
        let _ = writeln!(
            lowers,
            r#"(core func ${name} (canon lower ({of})
                 (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))"#
        );
        let _ = writeln!(imports, r#"(import "host" "{name}" (func ${name} {core}))"#);
        let _ = writeln!(exports, r#"(export "{name}" (func ${name}))"#);
    }
    guest(handle)
        .replacen(
            "  (core module $guest\n    (memory (export \"memory\") 1)\n",
            &format!(
                r#"{declared}
  (core module $libc
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8)))))
  (core instance $libc (instantiate $libc))
  {lowers}
  (core module $guest
    (import "libc" "memory" (memory 1))
    {imports}
"#
            ),
            1,
        )
        .replacen(
            "(instantiate $guest))\n  (alias core export $guest \"memory\"",
            &format!(
                "(instantiate $guest (with \"libc\" (instance $libc)) (with \"host\" (instance {exports}))))
  (alias core export $libc \"memory\""
            ),
            1,
        )
}
