//! Statements that take many rows at once.

use super::Dialect;

/// An `INSERT` of any number of rows, or a `DELETE` by keys.
#[derive(Debug)]
pub(crate) struct Insert {
    table: &'static str,
    columns: &'static [&'static str],
    conflict: Conflict,
}

/// What becomes of a row whose key is there already.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Conflict {
    /// The row that is there stays.
    Keep(&'static str),
    /// The rest of the statement, from `ON CONFLICT` on.
    Merge(&'static str),
    /// Not an insertion: the rows with these keys are deleted.
    Delete,
}

impl Insert {
    pub(crate) const fn new(
        table: &'static str,
        columns: &'static [&'static str],
        conflict: Conflict,
    ) -> Self {
        Self {
            table,
            columns,
            conflict,
        }
    }

    /// Values in a row.
    pub(crate) const fn width(&self) -> usize {
        self.columns.len()
    }

    /// Tells it from the others.
    pub(crate) const fn name(&self) -> &'static str {
        match self.conflict {
            Conflict::Merge(rest) => rest,
            Conflict::Keep(_) => self.table,
            Conflict::Delete => "DELETE",
        }
    }

    /// The statement for so many rows.
    pub(crate) fn sql(&self, rows: usize, dialect: Dialect) -> String {
        let columns = self.columns.join(", ");
        let table = self.table;
        let mut marks = Marks { dialect, last: 0 };
        let tuples: Vec<String> = (0..rows)
            .map(|_| {
                let tuple: Vec<String> = self.columns.iter().map(|_| marks.next()).collect();
                format!("({})", tuple.join(","))
            })
            .collect();
        let tuples = tuples.join(",");
        match self.conflict {
            Conflict::Keep(key) => format!(
                "INSERT INTO {table} ({columns}) VALUES {tuples} ON CONFLICT ({key}) DO NOTHING"
            ),
            Conflict::Merge(rest) => {
                format!("INSERT INTO {table} ({columns}) VALUES {tuples} {rest}")
            }
            Conflict::Delete => format!("DELETE FROM {table} WHERE {columns} IN ({tuples})"),
        }
    }
}

/// The marks for values, one after the other.
struct Marks {
    dialect: Dialect,
    last: usize,
}

impl Marks {
    fn next(&mut self) -> String {
        self.last = self.last.saturating_add(1);
        match self.dialect {
            // SQLite looks a numbered mark up in a list, which takes long for thousands of them.
            Dialect::Sqlite => "?".to_owned(),
            Dialect::Postgres => format!("${}", self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_marked_as_the_database_wants_them() {
        let keep = Insert::new("t", &["a", "b"], Conflict::Keep("a"));
        assert_eq!(
            keep.sql(2, Dialect::Postgres),
            "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4) ON CONFLICT (a) DO NOTHING"
        );
        assert_eq!(
            keep.sql(1, Dialect::Sqlite),
            "INSERT INTO t (a, b) VALUES (?,?) ON CONFLICT (a) DO NOTHING"
        );
        let delete = Insert::new("t", &["a"], Conflict::Delete);
        assert_eq!(
            delete.sql(2, Dialect::Postgres),
            "DELETE FROM t WHERE a IN (($1),($2))"
        );
    }
}
