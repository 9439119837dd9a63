//! Rows as PostgreSQL's functions take them: one array for each column where these are few, else one array of rows.

/// One field of every row.
pub(super) fn column<'a, Row, Field>(rows: &'a [Row], field: impl Fn(&'a Row) -> Field) -> Vec<Field> {
    rows.iter().map(field).collect()
}

/// Makes a struct a parameter of a composite type of the schema, whose columns are its fields in their order, and a list of
/// them one of its array type. A connection asks once which types these are.
macro_rules! composite {
    ($row:ident $(<$lifetime:lifetime>)?, $name:literal) => {
        impl $(<$lifetime>)? sqlx::Type<sqlx::Postgres> for $row $(<$lifetime>)? {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                sqlx::postgres::PgTypeInfo::with_name($name)
            }
        }

        impl $(<$lifetime>)? sqlx::postgres::PgHasArrayType for $row $(<$lifetime>)? {
            fn array_type_info() -> sqlx::postgres::PgTypeInfo {
                sqlx::postgres::PgTypeInfo::array_of($name)
            }
        }
    };
}

pub(super) use composite;
