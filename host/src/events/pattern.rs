//! Patterns of event names: `*` stands for any characters, also none and also dots; everything else stands for itself.

/// Whether a pattern covers a name. Takes time in proportion to both lengths at worst: patterns are a tenant's.
pub(super) fn covers(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut from) = (0, 0);
    // Where to go on when what follows the last star does not match: the star takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(literal) if *literal == name[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((starred, taken)) => {
                    star = Some((starred, taken + 1));
                    at = starred + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_spans_any_characters_and_the_rest_is_literal() {
        for (pattern, name, expected) in [
            ("*", "order.paid", true),
            ("order.*", "order.paid", true),
            ("order.*", "order.", true),
            ("order.*", "order", false),
            ("order.*", "orderXpaid", false),
            ("*.paid", "order.line.paid", true),
            ("order.*.paid", "order.line.paid", true),
            ("order.*.paid", "order.paid", false),
            ("*paid*", "order.paid.late", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
            ("order.paid", "order.paid", true),
            ("order.paid", "order.paid.late", false),
            ("order.p.id", "order.paid", false),
            ("", "order.paid", false),
        ] {
            assert_eq!(covers(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_do_not_take_long() {
        let pattern = "*a".repeat(200);
        assert!(!covers(&pattern, &"a".repeat(199)));
        assert!(!covers(&(pattern + "b"), &"a".repeat(5_000)));
    }
}
