//! What a hostile component may try, each with the end that it must come to.

use std::time::Duration;

use super::guest::{FLOOR, data, guest, handling, importing};
use super::wasi::{self, Imports};
use crate::grants::{Allowed, Asks, Granted};
use crate::sandbox::Limits;

/// Outcome of a failure: 512. `$fail` fills it with a message of a given address and length.
const FAIL: &str = r#"(func $fail (param $at i32) (param $length i32) (result i32)
      (i32.store8 (i32.const 520) (i32.const 1))
      (i32.store (i32.const 528) (local.get $at)) (i32.store (i32.const 532) (local.get $length))
      (i32.store8 (i32.const 536) (i32.const 4))
      (i32.store (i32.const 564) (i32.const 80)) (i32.store (i32.const 568) (i32.const 2))
      (i32.const 512))"#;

const SPIN: &str = "(loop $again (br $again)) unreachable";

/// One attack.
pub(super) struct Attack {
    /// What it is an attack on.
    pub(super) target: &'static str,
    /// What it does.
    pub(super) name: String,
    /// The component, as text or as bytes.
    pub(super) component: Component,
    pub(super) granted: Granted,
    pub(super) limits: Limits,
    /// How it must end.
    pub(super) end: End,
}

/// A component to write to a file.
pub(super) enum Component {
    Text(String),
    Bytes(Vec<u8>),
}

/// How an attack ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The component is refused before it runs; the text is part of the message.
    Refused(&'static str),
    /// The attempt fails with this error type.
    Error(&'static str),
    /// What it wanted is denied, and it says so itself; the text is part of the step's message.
    Denied(&'static str),
    /// It gets nothing out of it and ends well.
    Harmless,
}

/// Small, so that the whole suite takes seconds.
fn limits() -> Limits {
    Limits {
        fuel: 50_000_000,
        memory_bytes: 8 << 20,
        deadline: Duration::from_millis(500),
        result_bytes: 64 << 10,
        log_lines: 10,
        log_bytes: 4 << 10,
        ..Limits::default()
    }
}

fn attack(target: &'static str, name: impl Into<String>, component: String, end: End) -> Attack {
    let component = Component::Text(component);
    Attack { target, name: name.into(), component, granted: Granted::default(), limits: limits(), end }
}

/// `handle` with this body, in a component with these imports.
fn calling(imports: &Imports, body: &str) -> String {
    with_imports(&[imports], "", body)
}

fn with_imports(imports: &[&Imports], data: &str, body: &str) -> String {
    let declared: Vec<_> = imports.iter().map(|imports| imports.declared).collect();
    let lowered = imports.iter().flat_map(|imports| imports.lowered);
    let handle = format!(r#"{data} {FAIL} (func $handle (export "handle") (param $context i32) (result i32) {body})"#);
    importing(&declared.join("\n"), lowered, &handle)
}

/// Every attack, in the order of the table.
pub(super) fn all() -> Vec<Attack> {
    let mut attacks = computing();
    attacks.extend(memory());
    attacks.extend(results());
    attacks.extend(reading());
    attacks.extend(network());
    attacks.extend(components());
    attacks
}

fn computing() -> Vec<Attack> {
    let endless = |name: &'static str, component: String, end| {
        let mut attack = attack("computing", name, component, end);
        attack.limits.fuel = u64::MAX;
        attack
    };
    let start = guest(&format!(
        r#"(func $spin {SPIN}) (start $spin)
           (func $handle (export "handle") (param $context i32) (result i32) (i32.const 256))"#
    ));
    vec![
        attack("computing", "loops for ever", handling(SPIN), End::Error("fuel_exhausted")),
        endless("loops for ever with fuel left", handling(SPIN), End::Error("timeout")),
        attack("computing", "loops for ever before it is called", start, End::Error("fuel_exhausted")),
        attack(
            "computing",
            "calls itself for ever",
            handling("(call $handle (local.get $context))"),
            End::Error("stack_overflow"),
        ),
        endless(
            "sleeps for ever",
            calling(&wasi::SLEEP, "(call $block (call $after (i64.const 9000000000000000000))) (i32.const 256)"),
            End::Error("timeout"),
        ),
        endless(
            "spins inside a function of the host",
            calling(
                &wasi::LOG,
                "(loop $again (call $emit (i32.const 1) (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 2)) (br $again))
                 unreachable",
            ),
            End::Error("timeout"),
        ),
        attack("computing", "crashes", handling("unreachable"), End::Error("guest_trap")),
    ]
}

fn memory() -> Vec<Attack> {
    let table = guest(
        r#"(table $table 1 funcref)
           (func $handle (export "handle") (param $context i32) (result i32)
             (loop $again
               (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
             (if (i32.gt_u (table.size $table) (i32.const 100000)) (then unreachable))
             (i32.const 256))"#,
    );
    let mut random = attack(
        "memory",
        "asks the host for a terabyte of random bytes",
        calling(&wasi::RANDOM, "(call $random (i64.const 1099511627776) (i32.const 640)) (i32.const 256)"),
        End::Error("guest_trap"),
    );
    random.limits.memory_bytes = 64 << 20;
    vec![
        attack(
            "memory",
            "grows its memory without end",
            handling("(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable"),
            End::Error("memory_limit_exceeded"),
        ),
        attack("memory", "grows a table without end", table, End::Harmless),
        random,
        attack(
            "memory",
            "floods the log",
            calling(
                &wasi::LOG,
                "(local $left i32) (local.set $left (i32.const 10000))
                 (loop $again
                   (call $emit (i32.const 1) (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 2))
                   (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
                 (i32.const 256)",
            ),
            End::Harmless,
        ),
        attack(
            "memory",
            "leaves state for the next call",
            guest(
                r#"(global $calls (mut i32) (i32.const 0))
                   (func $handle (export "handle") (param $context i32) (result i32)
                     (if (i32.or (global.get $calls) (i32.load8_u (i32.const 300))) (then unreachable))
                     (global.set $calls (i32.const 1))
                     (i32.store8 (i32.const 300) (i32.const 1))
                     (i32.const 256))"#,
            ),
            End::Harmless,
        ),
    ]
}

fn results() -> Vec<Attack> {
    let returning = |text: &str| {
        guest(&format!(
            r#"{}
               (func $handle (export "handle") (param $context i32) (result i32)
                 (i32.store (i32.const 272) (i32.const 8192)) (i32.store (i32.const 276) (i32.const {}))
                 (i32.const 256))"#,
            data(8192, text),
            text.len(),
        ))
    };
    vec![
        attack("result", "returns what is not JSON", returning("{oops"), End::Error("invalid_result")),
        attack(
            "result",
            "returns JSON nested without end",
            returning(&"[".repeat(50_000)),
            End::Error("invalid_result"),
        ),
        attack(
            "result",
            "returns megabytes",
            handling(
                "(drop (memory.grow (i32.const 100))) (i32.store (i32.const 276) (i32.const 6000000)) (i32.const 256)",
            ),
            End::Error("result_too_large"),
        ),
        attack(
            "result",
            "returns memory that it does not have",
            handling(
                "(i32.store (i32.const 272) (i32.const -16)) (i32.store (i32.const 276) (i32.const 16)) (i32.const 256)",
            ),
            End::Error("guest_trap"),
        ),
        attack(
            "result",
            "returns an outcome that does not exist",
            handling("(i32.store8 (i32.const 264) (i32.const 200)) (i32.const 256)"),
            End::Error("guest_trap"),
        ),
    ]
}

fn reading() -> Vec<Attack> {
    // The list's length follows its address.
    let none = |call: &str| {
        format!("(call {call} (i32.const 640)) (if (i32.load (i32.const 644)) (then unreachable)) (i32.const 256)")
    };
    vec![
        attack(
            "reading",
            "reads the host's environment",
            calling(&wasi::ENVIRONMENT, &none("$environment")),
            End::Harmless,
        ),
        attack(
            "reading",
            "looks for directories of the host",
            calling(&wasi::PREOPENS, &none("$directories")),
            End::Harmless,
        ),
    ]
}

/// Sends one request to an authority and succeeds if there is any response. `fields` makes the headers.
fn requesting(imports: &[&Imports], authority: &str, fields: &str) -> String {
    let length = authority.len();
    let failed = format!("(then (return (call $fail (i32.const 8192) (i32.const {length}))))");
    let body = format!(
        r#"(local $fields i32) (local $request i32) (local $future i32)
           (local.set $fields (call $fields))
           {fields}
           (local.set $request (call $request (local.get $fields)))
           (drop (call $set-scheme (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
           (drop (call $set-path (local.get $request) (i32.const 1) (i32.const 8191) (i32.const 1)))
           (if (call $set-authority (local.get $request) (i32.const 1) (i32.const 8192) (i32.const {length})) {failed})
           (call $send (local.get $request) (i32.const 0) (i32.const 0) (i32.const 640))
           (if (i32.load8_u (i32.const 640)) {failed})
           (local.set $future (i32.load (i32.const 648)))
           (call $block (call $subscribe (local.get $future)))
           (call $get (local.get $future) (i32.const 704))
           (if (i32.load8_u (i32.const 720)) {failed})
           (i32.const 256)"#
    );
    with_imports(imports, &data(8191, &format!("/{authority}")), &body)
}

fn network() -> Vec<Attack> {
    let to = |authority: &str| requesting(&[&wasi::HTTP], authority, "");
    // Granted every host there is, what remains is the check of the address.
    let anywhere = || granted(r#"{"http": [{"url": "http://*"}]}"#, r#"{"http": [{"url": "http://*"}]}"#);
    let disguises = [
        ("this machine", "127.0.0.1"),
        ("this machine by its name", "localhost"),
        ("this machine by its name and a dot", "localhost."),
        ("this machine in decimal", "2130706433"),
        ("this machine in octal", "0177.0.0.1"),
        ("this machine in hexadecimal", "0x7f.1"),
        ("this machine as 0.0.0.0", "0.0.0.0"),
        ("this machine in IPv6", "[::1]"),
        ("this machine as IPv4 in IPv6", "[::ffff:127.0.0.1]"),
        ("this machine through NAT64", "[64:ff9b::7f00:1]"),
        ("the cloud's metadata", "169.254.169.254"),
        ("a private network", "10.0.0.1"),
        ("the provider's network", "100.64.0.1"),
        ("a local network in IPv6", "[fd00::1]"),
    ];
    let mut attacks =
        vec![attack("network", "sends what nobody granted", to("example.com"), End::Denied("not granted"))];
    attacks.extend(disguises.map(|(name, authority)| Attack {
        granted: anywhere(),
        ..attack("network", format!("reaches for {name}"), to(authority), End::Denied("not public"))
    }));
    // The first environment value is the secret's placeholder: 8 bytes of name, then the value.
    let stealing = requesting(
        &[&wasi::ENVIRONMENT, &wasi::HTTP],
        "example.com",
        r#"(call $environment (i32.const 640))
           (call $append (local.get $fields) (i32.const 16) (i32.const 5)
             (i32.load (i32.add (i32.load (i32.const 640)) (i32.const 8)))
             (i32.load (i32.add (i32.load (i32.const 640)) (i32.const 12)))
             (i32.const 704))"#,
    );
    attacks.push(Attack {
        granted: granted(
            r#"{"http": [{"url": "http://*"}], "secrets": ["KEY"]}"#,
            r#"{"http": [{"url": "http://*"}], "secrets": {"KEY": {"value": "x", "urls": ["https://api.example.org"]}}}"#,
        ),
        ..attack("network", "sends a secret to another host", stealing, End::Denied("may not be sent"))
    });
    attacks
}

/// What a package gets that asks for this and is allowed that; both are JSON.
fn granted(asks: &str, allowed: &str) -> Granted {
    let asks: Asks = serde_json::from_str(asks).unwrap_or_default();
    let allowed: Allowed = serde_json::from_str(allowed).unwrap_or_default();
    Granted::intersection(&asks, &allowed)
}

fn components() -> Vec<Attack> {
    let sockets = FLOOR.replacen(
        "(component\n",
        r#"(component (import "wasi:sockets/network@0.2.12" (instance (export "network" (type (sub resource)))))"#,
        1,
    );
    let refused = |name: &'static str, component: Vec<u8>, part| {
        let component = Component::Bytes(component);
        Attack {
            target: "component",
            name: name.into(),
            component,
            granted: Granted::default(),
            limits: limits(),
            end: End::Refused(part),
        }
    };
    let whole = wat::parse_str(FLOOR).unwrap_or_default();
    vec![
        attack("component", "imports sockets", sockets, End::Refused("wasi:sockets")),
        attack("component", "exports nothing", "(component)".to_owned(), End::Refused("does not export")),
        refused("is cut off", whole[..whole.len() / 2].to_vec(), "does not compile"),
        refused("is no WebAssembly", b"#!/bin/sh\n".to_vec(), "not a WebAssembly component"),
        refused("is a core module", wat::parse_str("(module)").unwrap_or_default(), "core WebAssembly module"),
    ]
}
