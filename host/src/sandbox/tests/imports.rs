//! What the imports cost the host: loops around them end at the deadline, and what they keep is bounded.

use super::*;
use std::time::Instant;

/// The floor guest with imports: `imports` declares instances and lowers functions as `$f` and, for a second one, `$g`, for
/// which there are `$libc`'s memory and realloc. `body` is the body of `handle` and may call `$f` and `$g`, which have
/// these types.
fn importing(imports: &str, f: &str, g: Option<&str>, body: &str) -> String {
    let import = |name: &str, kind: &str| format!(r#"(import "host" "{name}" (func ${name} {kind}))"#);
    let export = |name: &str| format!(r#"(export "{name}" (func ${name}))"#);
    let (second, both) =
        g.map_or_else(|| (String::new(), export("f")), |g| (import("g", g), export("f") + &export("g")));
    handling(body)
        .replacen(
            "  (core module $guest\n    (memory (export \"memory\") 1)\n",
            &format!(
                r#"(core module $libc
                     (memory (export "memory") 100)
                     (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
                   (core instance $libc (instantiate $libc))
                   (alias core export $libc "memory" (core memory $shared))
                   (alias core export $libc "realloc" (core func $take))
                   {imports}
                   (core module $guest
                     (import "libc" "memory" (memory 1))
                     {}{second}
                "#,
                import("f", f),
            ),
            1,
        )
        .replacen(
            "(instantiate $guest))\n  (alias core export $guest \"memory\"",
            &format!(
                "(instantiate $guest (with \"libc\" (instance $libc)) (with \"host\" (instance {both}))))
                 (alias core export $libc \"memory\"",
            ),
            1,
        )
}

const LOWER: &str = "(memory $shared) (realloc $take)";

/// `wasi:io` and one function of its streams, on standard output: `$f` takes the output stream first, `$g` gives it.
fn output(function: &str, kind: &str) -> String {
    format!(
        r#"(import "wasi:io/poll@0.2.0" (instance $poll
             (export "pollable" (type $pollable (sub resource)))
             (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))
             (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
           (alias export $poll "pollable" (type $pollable))
           (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
           (alias export $error "error" (type $io-error))
           (import "wasi:io/streams@0.2.0" (instance $streams
             (alias outer 1 $io-error (type $e)) (alias outer 1 $pollable (type $p))
             (export "error" (type $error (eq $e)))
             (export "pollable" (type $pollable (eq $p)))
             (export "output-stream" (type $output-stream (sub resource)))
             (type $failed (variant (case "last-operation-failed" (own $error)) (case "closed")))
             (export "stream-error" (type $stream-error (eq $failed)))
             (export "{function}" (func (param "self" (borrow $output-stream)) {kind}))))
           (alias export $streams "output-stream" (type $output-stream))
           (import "wasi:cli/stdout@0.2.0" (instance $stdout
             (alias outer 1 $output-stream (type $o))
             (export "output-stream" (type $output-stream (eq $o)))
             (export "get-stdout" (func (result (own $output-stream))))))
           (core func $f (canon lower (func $streams "{function}") {LOWER}))
           (core func $g (canon lower (func $stdout "get-stdout")))"#
    )
}

/// `wasi:http` and two functions of its types.
fn http(f: (&str, &str), g: (&str, &str)) -> String {
    let function = |(name, kind): (&str, &str)| format!(r#"(export "{name}" (func {kind}))"#);
    format!(
        r#"(import "wasi:http/types@0.2.0" (instance $http
             (export "fields" (type $fields (sub resource)))
             (export "outgoing-request" (type $outgoing-request (sub resource)))
             (type $wrong (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
             (export "header-error" (type $header-error (eq $wrong)))
             (export "[constructor]fields" (func (result (own $fields))))
             (export "[constructor]outgoing-request" (func (param "headers" (own $fields)) (result (own $outgoing-request))))
             {}{}))
           (core func $f (canon lower (func $http "{}") {LOWER}))
           (core func $g (canon lower (func $http "{}") {LOWER}))"#,
        if f.1.is_empty() { String::new() } else { function(f) },
        if g.1.is_empty() { String::new() } else { function(g) },
        f.0,
        g.0,
    )
}

fn clock(functions: &str, lower: &str) -> String {
    format!(
        r#"(import "wasi:io/poll@0.2.0" (instance $poll
             (export "pollable" (type $pollable (sub resource)))
             (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))
             (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
           (alias export $poll "pollable" (type $pollable))
           (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
             (alias outer 1 $pollable (type $p))
             (export "pollable" (type $pollable (eq $p)))
             {functions}))
           {lower}"#
    )
}

const SUBSCRIBE: &str = r#"(export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))"#;

fn forever(call: &str) -> String {
    format!("(loop $again {call} (br $again)) unreachable")
}

/// Guests that do nothing but call the host, with as much as it takes.
fn loops() -> Vec<(&'static str, String)> {
    let random = |name: &str, bytes: u32| {
        importing(
            &format!(
                r#"(import "wasi:random/{name}@0.2.0" (instance $random
                     (export "get-{}bytes" (func (param "len" u64) (result (list u8))))))
                   (core func $f (canon lower (func $random "get-{}bytes") {LOWER}))"#,
                if name == "random" { "random-" } else { "insecure-random-" },
                if name == "random" { "random-" } else { "insecure-random-" },
            ),
            "(param i64 i32)",
            None,
            &forever(&format!("(call $f (i64.const {bytes}) (i32.const 64))")),
        )
    };
    let log = importing(
        &format!(
            r#"(import "tasker:handler/log@0.1.0" (instance $log
                 (type $level-is (enum "trace" "debug" "info" "warn" "error"))
                 (export "level" (type $level (eq $level-is)))
                 (export "emit" (func (param "level" $level) (param "message" string) (param "fields" string)))))
               (core func $f (canon lower (func $log "emit") {LOWER}))"#
        ),
        "(param i32 i32 i32 i32 i32)",
        None,
        &forever(
            "(call $f (i32.const 4) (i32.const 200000) (i32.const 2000000) (i32.const 200000) (i32.const 1000000))",
        ),
    );
    let config = importing(
        &format!(
            r#"(import "tasker:handler/config@0.1.0" (instance $config
                 (export "get" (func (param "key" string) (result (option string))))))
               (core func $f (canon lower (func $config "get") {LOWER}))"#
        ),
        "(param i32 i32 i32)",
        None,
        &forever("(call $f (i32.const 200000) (i32.const 2000000) (i32.const 64))"),
    );
    let stream = |function, kind, core, arguments: &str| {
        importing(
            &output(function, kind),
            core,
            Some("(result i32)"),
            &format!(
                "(local $out i32) (local.set $out (call $g)) {}",
                forever(&format!("(call $f (local.get $out) {arguments})"))
            ),
        )
    };
    let failing = r#"(result (result (error $stream-error)))"#;
    let poll = |named: u32| {
        importing(
            &clock(
                SUBSCRIBE,
                &format!(
                    r#"(core func $g (canon lower (func $clock "subscribe-duration")))
                       (core func $f (canon lower (func $poll "poll") {LOWER}))"#
                ),
            ),
            "(param i32 i32 i32)",
            Some("(param i64) (result i32)"),
            &format!(
                "(local $n i32) (local $pollable i32) (local.set $pollable (call $g (i64.const 0)))
                 (loop $fill
                   (i32.store (i32.add (i32.const 131072) (i32.mul (local.get $n) (i32.const 4))) (local.get $pollable))
                   (local.set $n (i32.add (local.get $n) (i32.const 1)))
                   (br_if $fill (i32.lt_u (local.get $n) (i32.const {named}))))
                 {}",
                forever(&format!("(call $f (i32.const 131072) (i32.const {named}) (i32.const 64))")),
            ),
        )
    };
    let fields = |f: (&str, &str), core, call: &str| {
        importing(
            &http(f, ("[constructor]fields", "")),
            core,
            Some("(result i32)"),
            &format!("(local $fields i32) (local.set $fields (call $g)) {}", forever(call)),
        )
    };
    let borrowed = r#"(param "self" (borrow $fields))"#;
    let append = format!(
        r#"{borrowed} (param "name" string) (param "value" (list u8)) (result (result (error $header-error)))"#
    );
    let has = format!(r#"{borrowed} (param "name" string) (result bool)"#);
    let clock_now = importing(
        &clock(r#"(export "now" (func (result u64)))"#, r#"(core func $f (canon lower (func $clock "now")))"#),
        "(result i64)",
        None,
        &forever("(drop (call $f))"),
    );
    let timers = importing(
        &clock(
            SUBSCRIBE,
            r#"(core func $f (canon lower (func $clock "subscribe-duration")))
               (core func $g (canon resource.drop $pollable))"#,
        ),
        "(param i64) (result i32)",
        Some("(param i32)"),
        &forever("(call $g (call $f (i64.const 1000000000)))"),
    );
    vec![
        ("random bytes", random("random", 65_536)),
        ("insecure random bytes", random("insecure", 65_536)),
        ("long log records", log),
        ("long config keys", config),
        (
            "long writes",
            stream(
                "[method]output-stream.write",
                &format!(r#"(param "contents" (list u8)) {failing}"#),
                "(param i32 i32 i32 i32)",
                "(i32.const 200000) (i32.const 3000000) (i32.const 64)",
            ),
        ),
        (
            "zeroes",
            stream(
                "[method]output-stream.write-zeroes",
                &format!(r#"(param "len" u64) {failing}"#),
                "(param i32 i64 i32)",
                "(i64.const 65536) (i32.const 64)",
            ),
        ),
        (
            "blocking zeroes",
            stream(
                "[method]output-stream.blocking-write-zeroes-and-flush",
                &format!(r#"(param "len" u64) {failing}"#),
                "(param i32 i64 i32)",
                "(i64.const 4096) (i32.const 64)",
            ),
        ),
        (
            "blocking writes",
            stream(
                "[method]output-stream.blocking-write-and-flush",
                &format!(r#"(param "contents" (list u8)) {failing}"#),
                "(param i32 i32 i32 i32)",
                "(i32.const 200000) (i32.const 4096) (i32.const 64)",
            ),
        ),
        (
            "permits to write",
            stream(
                "[method]output-stream.check-write",
                r#"(result (result u64 (error $stream-error)))"#,
                "(param i32 i32)",
                "(i32.const 64)",
            ),
        ),
        ("one pollable that is ready", poll(1)),
        ("many pollables that are ready", poll(4_096)),
        (
            "long headers",
            fields(
                ("[method]fields.append", &append),
                "(param i32 i32 i32 i32 i32 i32)",
                "(call $f (local.get $fields) (i32.const 200000) (i32.const 1000000) (i32.const 200000) (i32.const 2000000)
                   (i32.const 64))",
            ),
        ),
        (
            "long names of headers",
            fields(
                ("[method]fields.has", &has),
                "(param i32 i32 i32) (result i32)",
                "(drop (call $f (local.get $fields) (i32.const 200000) (i32.const 3000000)))",
            ),
        ),
        ("the time", clock_now),
        ("timers", timers),
    ]
}

#[tokio::test]
async fn a_loop_around_any_import_ends_at_the_deadline_and_gives_way() {
    let limits = Limits { fuel: u64::MAX, deadline: Duration::from_millis(300), ..Limits::default() };
    let bench = Bench::new();
    for (name, wat) in loops() {
        let prepared = bench.prepare(&wat).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        // One thread runs both: the heartbeat only gets its turn when the guest, or the host for it, yields.
        let heartbeat: tokio::task::JoinHandle<()> = tokio::spawn(async {
            let mut last = Instant::now();
            loop {
                tokio::task::yield_now().await;
                LONGEST.with(|longest| longest.set(longest.get().max(last.elapsed())));
                last = Instant::now();
            }
        });
        let start = Instant::now();
        let report = bench.sandbox.invoke(&prepared, invocation(limits.clone())).await.unwrap();
        let took = start.elapsed();
        tokio::task::yield_now().await;
        let longest = LONGEST.with(|longest| longest.replace(Duration::ZERO));
        heartbeat.abort();

        eprintln!("{name}: ended after {took:.1?}, held its thread for {longest:.1?} at most");
        let error = report.outcome.unwrap_err();
        assert_eq!(error.error_type(), "timeout", "{name}: {error}");
        // Generous, for machines that do much else: without yielding these take from one second to many minutes.
        assert!(took < limits.deadline + Duration::from_millis(500), "{name}: {took:?}");
        assert!(longest < Duration::from_millis(300), "{name}: {longest:?}");
    }
}

thread_local! {
    /// The longest the heartbeat waited for its turn.
    static LONGEST: std::cell::Cell<Duration> = const { std::cell::Cell::new(Duration::ZERO) };
}

/// Guests that ask for more than they may have.
fn hoards() -> Vec<(&'static str, String, &'static str)> {
    let random = importing(
        &format!(
            r#"(import "wasi:random/random@0.2.0" (instance $random
                 (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
               (core func $f (canon lower (func $random "get-random-bytes") {LOWER}))"#
        ),
        "(param i64 i32)",
        None,
        "(call $f (i64.const 65537) (i32.const 64)) unreachable",
    );
    let timers = importing(
        &clock(SUBSCRIBE, r#"(core func $f (canon lower (func $clock "subscribe-duration")))"#),
        "(param i64) (result i32)",
        None,
        &forever("(drop (call $f (i64.const 1000000000)))"),
    );
    let outputs = importing(
        &output("[method]output-stream.check-write", r#"(result (result u64 (error $stream-error)))"#),
        "(param i32 i32)",
        Some("(result i32)"),
        &forever("(drop (call $g))"),
    );
    let fields = importing(
        &http(("[constructor]fields", ""), ("[constructor]outgoing-request", "")),
        "(result i32)",
        Some("(param i32) (result i32)"),
        &forever("(drop (call $g (call $f)))"),
    );
    let polls = importing(
        &clock(
            SUBSCRIBE,
            &format!(
                r#"(core func $g (canon lower (func $clock "subscribe-duration")))
                   (core func $f (canon lower (func $poll "poll") {LOWER}))"#
            ),
        ),
        "(param i32 i32 i32)",
        Some("(param i64) (result i32)"),
        "(local $n i32) (local $pollable i32) (local.set $pollable (call $g (i64.const 0)))
         (loop $fill
           (i32.store (i32.add (i32.const 131072) (i32.mul (local.get $n) (i32.const 4))) (local.get $pollable))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $fill (i32.lt_u (local.get $n) (i32.const 5000))))
         (call $f (i32.const 131072) (i32.const 5000) (i32.const 64)) unreachable",
    );
    // Resources of the component's own, which live in wasmtime's tables.
    let own = importing(
        "(type $mine (resource (rep i32))) (core func $f (canon resource.new $mine))",
        "(param i32) (result i32)",
        None,
        &forever("(drop (call $f (i32.const 1)))"),
    );
    vec![
        ("random bytes", random, "exceeds limit"),
        ("timers", timers, "too_many_resources"),
        ("outputs", outputs, "too_many_resources"),
        ("requests", fields, "too_many_resources"),
        ("pollables", polls, "may name 4096"),
        ("resources of its own", own, "handle limit exceeded"),
    ]
}

#[tokio::test]
async fn nobody_hoards_what_lives_in_the_hosts_memory() {
    let bench = Bench::new();
    for (name, wat, message) in hoards() {
        let report = bench.attempt(&wat, Limits::default()).await;
        let error = report.outcome.unwrap_err();
        let told = format!("{}: {error}", error.error_type());
        assert!(told.contains(message), "{name}: {told}");
    }
}

#[tokio::test]
async fn the_parts_of_a_request_are_bounded() {
    // 0 is ok, 1 is an error.
    let setting = |bytes: u32, expected: u32| {
        importing(
            &format!(
                r#"{}
                   (core func $h (canon lower (func $http "[constructor]fields")))"#,
                http(
                    (
                        "[method]outgoing-request.set-authority",
                        r#"(param "self" (borrow $outgoing-request)) (param "authority" (option string)) (result (result))"#,
                    ),
                    ("[constructor]outgoing-request", ""),
                )
            ),
            "(param i32 i32 i32 i32) (result i32)",
            Some("(param i32) (result i32)"),
            &format!(
                "(memory.fill (i32.const 4096) (i32.const 97) (i32.const {bytes}))
                 (if (i32.ne (i32.const {expected})
                       (call $f (call $g (call $h)) (i32.const 1) (i32.const 4096) (i32.const {bytes})))
                   (then unreachable))
                 (i32.const 256)"
            ),
        )
        .replacen(r#"(import "host" "g""#, r#"(import "host" "h" (func $h (result i32))) (import "host" "g""#, 1)
        .replacen(r#"(export "g" (func $g))"#, r#"(export "g" (func $g)) (export "h" (func $h))"#, 1)
    };
    let bench = Bench::new();
    for (bytes, expected) in [(100, 0), (16 << 10, 0), ((16 << 10) + 1, 1)] {
        let report = bench.attempt(&setting(bytes, expected), Limits::default()).await;
        assert!(report.outcome.is_ok(), "{bytes}: {:?}", report.outcome);
    }
}

#[tokio::test]
async fn the_environment_is_what_is_granted() {
    let wat = importing(
        &format!(
            r#"(import "wasi:cli/environment@0.2.0" (instance $environment
                 (export "get-environment" (func (result (list (tuple string string)))))))
               (core func $f (canon lower (func $environment "get-environment") {LOWER}))"#
        ),
        "(param i32)",
        None,
        // As many variables as granted, the result is their number.
        "(call $f (i32.const 64))
         (i32.store8 (i32.const 8192) (i32.add (i32.const 48) (i32.load (i32.const 68))))
         (i32.store (i32.const 272) (i32.const 8192)) (i32.store (i32.const 276) (i32.const 1)) (i32.const 256)",
    );
    let bench = Bench::new();
    let package = bench.package(&wat::parse_str(wat).unwrap());
    for granted in [vec![], vec![("REGION".to_owned(), "eu".to_owned())]] {
        let mut grants = Granted::default();
        let expected = granted.len().to_string();
        grants.env = granted;
        let prepared = bench.sandbox.prepare(&package, grants).await.unwrap();
        let report = bench.sandbox.invoke(&prepared, invocation(Limits::default())).await.unwrap();
        let Ok(StepOutcome::Success(success)) = report.outcome else { panic!("{:?}", report.outcome) };
        assert_eq!(success.result.get(), expected);
    }
}
