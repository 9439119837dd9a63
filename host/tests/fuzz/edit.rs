//! Edits of a document, as random bytes say.

/// Applies edits, each of which four bytes stand for: what to do, where (two bytes), and with what. `words` are put in whole.
pub(crate) fn edited(document: &[u8], edits: &[u8], words: &[&str]) -> Vec<u8> {
    let mut bytes = document.to_vec();
    for edit in edits.chunks_exact(4) {
        let &[what, high, low, with] = edit else { continue };
        let at = usize::from(u16::from_be_bytes([high, low])) * (bytes.len() + 1) / (usize::from(u16::MAX) + 1);
        let end = bytes.len().min(at + usize::from(with));
        match what % 8 {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.insert(at, with),
            2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = with;
                }
            }
            3 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (with % 8);
                }
            }
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let moved: Vec<u8> = bytes.drain(at..end).collect();
                bytes.extend(moved);
            }
            6 if with > 240 => bytes.truncate(at),
            _ => {
                if let Some(word) = words.get(usize::from(with) % words.len().max(1)) {
                    bytes.splice(at..at, word.bytes());
                }
            }
        }
    }
    bytes
}

/// As [`edited`], for text.
pub(crate) fn edited_text(document: &str, edits: &[u8], words: &[&str]) -> String {
    String::from_utf8_lossy(&edited(document.as_bytes(), edits, words)).into_owned()
}
