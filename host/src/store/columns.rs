//! Rows as PostgreSQL's functions take them: one array for each column.

/// One field of every row.
pub(super) fn column<'a, Row, Field>(rows: &'a [Row], field: impl Fn(&'a Row) -> Field) -> Vec<Field> {
    rows.iter().map(field).collect()
}
