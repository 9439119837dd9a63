//! Templates: any text is a template or a list of problems, and a template can be planned.

use tasker_wasm_host::template;

use crate::edit::edited_text;
use crate::target;

const EXAMPLES: &[&str] = &[
    include_str!("../../../handlers/approval-routing/template.yaml"),
    include_str!("../../../handlers/csv-batch/template.yaml"),
    include_str!("../../../handlers/dag/template.yaml"),
    include_str!("../../../handlers/domain-events/template.yaml"),
    include_str!("../../../handlers/order-fulfilment/template.yaml"),
    include_str!("../../../handlers/retries/template.yaml"),
];

const WORDS: &[&str] = &[
    "&a ",
    "*a",
    "&a [*a, *a]",
    "<<: *a\n",
    "- ",
    ": ",
    "\n  ",
    "\n",
    "{",
    "[",
    "|\n",
    "!!binary ",
    "---\n",
    "? ",
    "\t",
    "~",
    "\u{feff}",
    "dependencies: [",
    "type: decision\n",
    "type: batchable\n",
    "deferred_convergence",
    "null",
    "1e999",
    "-1",
    "0x10",
    "yes",
    "99999999999999999999",
    "environments:\n",
    "steps:\n",
    "name: ",
    "\"\\ud800\"",
    "'",
    "#",
];

#[test]
fn templates() {
    target!(|input: &[u8]| {
        let Some((which, edits)) = input.split_first() else { return };
        let text = edited_text(EXAMPLES[usize::from(*which) % EXAMPLES.len()], edits, WORDS);
        match template::parse("edited.yaml", &text) {
            Ok(parsed) => {
                let _ = template::plan(&parsed.template);
                let _ = template::digest(&parsed.template);
            }
            Err(error) => assert!(!error.problems.is_empty() && !error.to_string().is_empty()),
        }
    });
}

/// A few bytes of aliases stand for gigabytes.
#[test]
fn aliases_do_not_multiply() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        text.push_str(&format!("a{n}: &a{n} [{before}]\n"));
    }
    let start = std::time::Instant::now();
    assert!(template::parse("bomb.yaml", &text).is_err());
    assert!(template::parse("deep.yaml", &"[".repeat(100_000)).is_err());
    assert!(template::parse("deep.yaml", &"a: {".repeat(100_000)).is_err());
    assert!(start.elapsed() < crate::PATIENCE, "{:?}", start.elapsed());
}
