//! The line that tells a model how tables are read: [`Notation`].

/// What a text in our notation has that JSON has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Notation {
    /// Tables.
    pub tables: bool,
    /// Columns that are the members of an object: `a{b,c}`.
    pub groups: bool,
    /// Columns that a row may lack: `a?`.
    pub optional: bool,
}

/// How tables are read.
const TABLES: &str = "Tables: [rows:columns;row;row]";
/// What a group of columns is.
const GROUPS: &str = "; a{b,c}: object a";
/// What a column is that a row may lack.
const OPTIONAL: &str = "; empty under column?: no such key";
/// Stands in place of all that where earlier blocks of the conversation have it.
const AGAIN: &str = "Tables:";

impl Notation {
    /// What the tables of a text have that [`encode`](super::encode()) has made; there is at least one.
    pub fn of(text: &str) -> Self {
        let mut notation = Self {
            tables: true,
            ..Self::default()
        };
        let (mut in_string, mut is_escaped, mut last) = (false, false, b'[');
        for &byte in text.as_bytes() {
            if in_string {
                in_string = is_escaped || byte != b'"';
                is_escaped = !is_escaped && byte == b'\\';
            } else {
                match byte {
                    b'"' => in_string = true,
                    b'?' => notation.optional = true,
                    // Behind a name; an object stands behind what separates values.
                    b'{' if !b"[{,;:\t|".contains(&last) => notation.groups = true,
                    _ => {}
                }
            }
            last = byte;
        }
        notation
    }

    /// Whether all of the other is explained where this is.
    pub fn includes(self, other: Self) -> bool {
        self.and(other) == self
    }

    /// What either has.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            tables: self.tables || other.tables,
            groups: self.groups || other.groups,
            optional: self.optional || other.optional,
        }
    }

    /// The line, without its end: at most 32 tokens of o200k, with tables alone some 10, and two where `explained` has
    /// all of it.
    pub fn hint(self, explained: Self) -> String {
        if explained.includes(self) {
            return AGAIN.to_owned();
        }
        let part = |is_there: bool, part: &'static str| if is_there { part } else { "" };
        format!(
            "{TABLES}{}{}",
            part(self.groups, GROUPS),
            part(self.optional, OPTIONAL)
        )
    }

    /// What the first line of a text explains, and the rest of the text; none if it is no hint.
    pub fn split(text: &str) -> Option<(Self, &str)> {
        if let Some(rest) = text
            .strip_prefix(AGAIN)
            .and_then(|rest| rest.strip_prefix('\n'))
        {
            return Some((Self::default(), rest));
        }
        let rest = text.strip_prefix(TABLES)?;
        let (groups, rest) = rest
            .strip_prefix(GROUPS)
            .map_or((false, rest), |rest| (true, rest));
        let (optional, rest) = rest
            .strip_prefix(OPTIONAL)
            .map_or((false, rest), |rest| (true, rest));
        let notation = Self {
            tables: true,
            groups,
            optional,
        };
        Some((notation, rest.strip_prefix('\n')?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jton::{Profile, encode};

    #[test]
    fn a_hint_says_what_the_text_has() {
        let notation = |json| Notation::of(&encode(json, Profile::Union).unwrap());
        let tables = notation(r#"{"x":[{"id":1,"n":"a?{"},{"id":2,"n":"{}?"}]}"#);
        assert_eq!((tables.groups, tables.optional), (false, false));
        let groups =
            notation(r#"[{"id":1,"seats":{"eco":1,"biz":2}},{"id":2,"seats":{"eco":3,"biz":4}}]"#);
        assert_eq!((groups.groups, groups.optional), (true, false));
        let optional =
            notation(r#"[{"id":1,"mail":"a","phone":1},{"id":2,"mail":"b"},{"id":3,"mail":"c"}]"#);
        assert_eq!((optional.groups, optional.optional), (false, true));
        let nothing = Notation::default();
        for shown in [tables, groups, optional, groups.and(optional)] {
            let text = format!("{}\n[1]", shown.hint(nothing));
            assert_eq!(Notation::split(&text), Some((shown, "[1]")));
            assert_eq!(shown.hint(shown), "Tables:");
            assert_eq!(shown.hint(groups.and(optional)), "Tables:");
        }
        assert_ne!(optional.hint(groups), "Tables:");
        assert_eq!(Notation::split("Tables:\n[1]"), Some((nothing, "[1]")));
        assert_eq!(Notation::split("Tables: none\n[1]"), None);
    }
}
