//! What of a text is kept: [`Kept`].

use std::ops::Range;

/// The parts of a source that are kept: byte ranges on character boundaries, in order, none empty, none touching the
/// next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    ranges: Vec<Range<usize>>,
}

impl Kept {
    /// All of a text.
    pub fn all(text: &str) -> Self {
        let mut kept = Self::default();
        kept.push(0..text.len());
        kept
    }

    /// These ranges of a text, sorted by where they begin, on character boundaries.
    pub fn of(ranges: impl IntoIterator<Item = Range<usize>>) -> Self {
        let mut kept = Self::default();
        for range in ranges {
            kept.push(range);
        }
        kept
    }

    /// Adds a range behind those that are there. What lies before their end is there already.
    pub(super) fn push(&mut self, range: Range<usize>) {
        let end = self.ranges.last().map_or(0, |last| last.end);
        let start = range.start.max(end);
        if range.end <= start {
            return;
        }
        match self.ranges.last_mut() {
            Some(last) if last.end == start => last.end = range.end,
            _ => self.ranges.push(start..range.end),
        }
    }

    /// The ranges, in bytes of the source.
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }

    /// What is kept of this source, which must be the one that the ranges were made of.
    pub fn text(&self, source: &str) -> String {
        let mut text = String::with_capacity(self.bytes());
        for range in &self.ranges {
            text.push_str(source.get(range.clone()).unwrap_or_default());
        }
        text
    }

    /// Those of a part of a text that starts at this byte, as ranges of the whole.
    #[must_use]
    pub fn shifted(mut self, by: usize) -> Self {
        for range in &mut self.ranges {
            *range = range.start + by..range.end + by;
        }
        self
    }

    /// Adds what is kept of a later part of the same text.
    pub fn extend(&mut self, later: Self) {
        for range in later.ranges {
            self.push(range);
        }
    }

    /// What is kept of the source once that much is kept of what is kept: `inner` has places in [`Kept::text`].
    #[must_use]
    pub fn within(&self, inner: &Self) -> Self {
        let mut kept = Self::default();
        let mut rest = inner.ranges.iter().cloned();
        let mut next = rest.next();
        let mut written = 0;
        for range in &self.ranges {
            let end = written + range.len();
            while let Some(part) = next.clone().filter(|part| part.start < end) {
                let from = part.start.max(written) - written + range.start;
                let to = part.end.min(end) - written + range.start;
                kept.push(from..to);
                if part.end > end {
                    break;
                }
                next = rest.next();
            }
            written = end;
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        let mut kept = Kept::default();
        for range in [0..2, 2..3, 2..3, 5..5, 6..8, 1..9] {
            kept.push(range);
        }
        assert_eq!(kept.ranges(), [0..3, 6..9]);
        assert_eq!(kept.text("abcdefghi"), "abcghi");
        assert_eq!(kept.bytes(), 6);
    }

    #[test]
    fn what_is_kept_of_what_is_kept_has_places_in_the_source() {
        let mut outer = Kept::default();
        outer.push(2..5);
        outer.push(8..10);
        let mut inner = Kept::default();
        inner.push(1..4);
        inner.push(4..5);
        assert_eq!(outer.text("0123456789"), "23489");
        assert_eq!(outer.within(&inner).text("0123456789"), "3489");
        assert_eq!(outer.within(&Kept::all("23489")), outer);
    }
}
