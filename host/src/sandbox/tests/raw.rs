//! Components that nobody's toolchain would make: each is refused, or fails, by name, and the host goes on.

use std::time::Instant;

use super::*;

/// The floor guest whose core module has this in it as well.
fn with(core: &str) -> String {
    guest(&format!(r#"{core} (func $handle (export "handle") (param $context i32) (result i32) (i32.const 256))"#))
}

impl Bench {
    async fn prepare_bytes(&self, bytes: &[u8]) -> Result<Arc<Prepared>, ComponentError> {
        self.sandbox.prepare(&self.package(bytes), Granted::default()).await
    }
}

#[tokio::test]
async fn tables_grow_to_their_bound_and_no_further() {
    let growing = guest(
        r#"(table $table 1 funcref)
           (func $handle (export "handle") (param $context i32) (result i32)
             ;; At once, and then one by one, until it is refused.
             (if (i32.ne (table.grow $table (ref.null func) (i32.const 0x7fffffff)) (i32.const -1)) (then unreachable))
             (loop $again (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1)) (i32.const -1))))
             (if (i32.gt_u (table.size $table) (i32.const 30000)) (then unreachable))
             (if (i32.lt_u (table.size $table) (i32.const 29000)) (then unreachable))
             (i32.const 256))"#,
    );

    let report = Bench::new().attempt(&growing, Limits::default()).await;

    assert!(report.outcome.is_ok(), "{:?}", report.outcome);
}

#[tokio::test]
async fn what_happens_while_a_component_starts_counts_too() {
    let starting = |body: &str| with(&format!("(func $start {body}) (start $start)"));
    let limits = Limits { fuel: 3_000_000, ..Limits::default() };
    for (body, error_type) in [
        ("unreachable", "cannot_instantiate"),
        ("(loop $again (br $again))", "fuel_exhausted"),
        ("(call $start)", "stack_overflow"),
        (
            "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
            "memory_limit_exceeded",
        ),
    ] {
        let error = Bench::new().error(&starting(body), limits.clone()).await;
        assert_eq!(error.error_type(), error_type, "{body}: {error}");
    }

    let limits = Limits { fuel: u64::MAX, deadline: Duration::from_millis(200), ..Limits::default() };
    let start = Instant::now();
    let error = Bench::new().error(&starting("(loop $again (br $again))"), limits).await;
    assert_eq!(error.error_type(), "timeout");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn filling_memory_costs_fuel_by_its_length() {
    let filling = handling(
        "(drop (memory.grow (i32.const 500)))
         (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 30000000)) (br $again)) unreachable",
    );
    let limits = Limits { fuel: u64::MAX, deadline: Duration::from_millis(200), ..Limits::default() };
    let start = Instant::now();

    let error = Bench::new().error(&filling, limits).await;

    assert_eq!(error.error_type(), "timeout");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

/// A component that makes so many instances of a core module before the real one.
fn beside(module: &str, instances: usize) -> String {
    let many: String = (0..instances).map(|_| "(core instance (instantiate $beside))").collect();
    FLOOR.replacen("  (core module $guest", &format!("(core module $beside {module}) {many}\n  (core module $guest"), 1)
}

#[tokio::test]
async fn what_a_component_claims_is_bounded_before_anything_is_made() {
    let bench = Bench::new();
    for (name, wat, message) in [
        ("a memory of 4 GiB", with("").replacen("\"memory\") 1)", "\"memory\") 65536)", 1), "memory"),
        ("a memory greater than a slot", with("").replacen("\"memory\") 1)", "\"memory\") 1025)", 1), "memory"),
        ("a table of four billion", with("(table 4294967295 funcref)"), "table"),
        ("a table of ten million", with("(table 10000000 funcref)"), "table"),
        ("many tables", with(&"(table 1 funcref)".repeat(17)), "table"),
        ("very many tables", with(&"(table 1 funcref)".repeat(100_001)), "table"),
        ("many instances", beside("", 30), "instance"),
        ("many memories", beside("(memory 1)", 5), "memor"),
        (
            "many modules",
            FLOOR.replacen(
                "  (core module $guest",
                &format!("{}\n  (core module $guest", "(core module)".repeat(1_001)),
                1,
            ),
            "modules",
        ),
        ("many locals", with(&format!("(func {})", "(local i64)".repeat(50_001))), "locals"),
        ("many parameters", with(&format!("(func (param {}))", "i64 ".repeat(1_001))), "param"),
    ] {
        let start = Instant::now();
        let error = bench.prepare(&wat).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, ComponentError::Compile { .. }), "{name}: {error:?}");
        let text = error.to_string();
        assert!(text.contains("guest.wasm does not compile") && text.contains(message), "{name}: {text}");
        assert!(start.elapsed() < Duration::from_secs(20), "{name}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn large_components_compile_in_bounded_time() {
    let blocks = format!("(func {}{})", "(block ".repeat(2_000), ")".repeat(2_000));
    let straight = format!("(func (result i32) (i32.const 1) {})", "(i32.const 3) (i32.add)".repeat(100_000));
    let switch = format!("(func (param i32) (block (br_table {}(local.get 0))))", "0 ".repeat(60_000));
    for (name, wat) in [
        ("functions", with(&"(func)".repeat(20_000))),
        ("blocks in blocks", with(&blocks)),
        ("a long function", with(&straight)),
        ("a great switch", with(&switch)),
        ("locals", with(&format!("(func {})", "(local i64)".repeat(50_000)))),
        ("data", with(&"(data (i32.const 0) \"x\")".repeat(20_000))),
        ("globals", with(&"(global i32 (i32.const 1))".repeat(20_000))),
        (
            "imports of types",
            FLOOR.replacen(
                "  (core module $guest",
                &format!("{}\n  (core module $guest", "(type (list u8))".repeat(20_000)),
                1,
            ),
        ),
    ] {
        let (bench, start) = (Bench::new(), Instant::now());
        let report = bench.attempt(&wat, Limits::default()).await;
        eprintln!("{name}: {:.1?}", start.elapsed());
        assert!(report.outcome.is_ok(), "{name}: {:?}", report.outcome);
        assert!(start.elapsed() < Duration::from_secs(60), "{name}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn components_in_components_end_somewhere() {
    let bench = Bench::new();
    let mut bytes = wat::parse_str("(component)").unwrap();
    for depth in 1..=20_000 {
        bytes = wrapped(&bytes);
        if [10, 99, 1_000, 20_000].contains(&depth) {
            let error = bench.prepare_bytes(&bytes).await.map(|_| ()).unwrap_err();
            let named = matches!(error, ComponentError::MissingExport { .. } | ComponentError::Compile { .. });
            assert!(named, "{depth}: {error}");
        }
    }
}

/// A component that contains this one.
fn wrapped(component: &[u8]) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0\x04".to_vec();
    let mut length = component.len();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap();
        length >>= 7;
        bytes.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            break;
        }
    }
    bytes.extend(component);
    bytes
}

#[tokio::test]
async fn data_outside_the_memory_fails_when_it_is_placed() {
    let error = Bench::new().error(&with("(data (i32.const 65535) \"ab\")"), Limits::default()).await;

    assert_eq!(error.error_type(), "cannot_instantiate");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge.wasm");
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();

    let error = Package::load(&path).unwrap_err().to_string();

    assert!(error.contains("huge.wasm") && error.contains("more than 64 MiB"), "{error}");
}

/// Prepares a damaged component, and runs what still is one.
async fn survive(bench: &Bench, bytes: &[u8]) -> Result<(), ComponentError> {
    let start = Instant::now();
    let prepared = bench.prepare_bytes(bytes).await;
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    let prepared = prepared?;
    let limits = Limits { fuel: 10_000_000, deadline: Duration::from_secs(2), ..Limits::default() };
    let _ = bench.sandbox.describe(&prepared).await;
    bench.sandbox.invoke(&prepared, invocation(limits)).await.unwrap();
    Ok(())
}

#[tokio::test]
async fn every_beginning_of_a_component_is_refused() {
    let (bench, whole) = (Bench::new(), wat::parse_str(FLOOR).unwrap());
    let mut whole_enough = 0;
    for end in 0..whole.len() {
        let Err(error) = survive(&bench, &whole[..end]).await else {
            // The names at the end may be missing.
            whole_enough += 1;
            continue;
        };
        let named = matches!(
            error,
            ComponentError::NotWasm { .. } | ComponentError::Compile { .. } | ComponentError::MissingExport { .. }
        );
        assert!(named, "{end}: {error:?}");
    }
    assert!(whole_enough <= 2, "{whole_enough}");
    survive(&bench, &whole).await.unwrap();
}

#[tokio::test]
async fn flipped_bits_are_refused_or_run_and_never_harm() {
    let (bench, whole) = (Bench::new(), wat::parse_str(FLOOR).unwrap());
    let mut random = fastrand::Rng::with_seed(1);
    let mut refused = 0;
    for _ in 0..500 {
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            bytes[at] ^= 1 << random.u8(..8);
        }
        refused += usize::from(survive(&bench, &bytes).await.is_err());
    }
    assert!((100..500).contains(&refused), "{refused} of 500 were refused");
    survive(&bench, &whole).await.unwrap();
}

/// Real ones are large, and most of what is flipped in them is data, so they are compiled; few are enough.
#[tokio::test]
async fn a_damaged_typescript_component_is_refused() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../handlers/dag/dist/dag.wasm"));
    let Ok(whole) = std::fs::read(&path) else {
        eprintln!("not built: {}", path.display());
        return;
    };
    let bench = Bench::new();
    let mut random = fastrand::Rng::with_seed(2);
    for _ in 0..40 {
        let error = survive(&bench, &whole[..random.usize(8..whole.len())]).await.unwrap_err();
        assert!(matches!(error, ComponentError::Compile { .. }), "{error:?}");
    }
}
