//! Ends an answer at a stop sequence, and keeps every part of one out of the stream.

/// Looks for stop sequences in a text that comes in pieces. Text is kept back while it may still
/// turn out to be the start of a stop sequence.
#[derive(Debug)]
pub(crate) struct StopFilter<T> {
    stops: Vec<(String, T)>,
    trim: bool,
    started: bool,
    pending: String,
}

impl<T: Clone> StopFilter<T> {
    /// `stops` pairs each sequence with what it means. With `trim`, white space at both ends of the
    /// text is left out.
    pub(crate) fn new(stops: impl IntoIterator<Item = (String, T)>, trim: bool) -> Self {
        Self {
            stops: stops
                .into_iter()
                .filter(|(stop, _)| !stop.is_empty())
                .collect(),
            trim,
            started: false,
            pending: String::new(),
        }
    }

    /// Takes the next piece. Returns the text that can go out, and the meaning of the stop sequence
    /// that ends it, if one is complete: the filter is used up then.
    pub(crate) fn push(&mut self, text: &str) -> (String, Option<T>) {
        self.pending.push_str(text);
        let first = self
            .stops
            .iter()
            .filter_map(|(stop, meaning)| Some((self.pending.find(stop)?, meaning)))
            .min_by_key(|&(at, _)| at);
        if let Some((at, meaning)) = first {
            let meaning = meaning.clone();
            self.pending.truncate(at);
            return (self.take_rest(), Some(meaning));
        }
        let mut ready = self.pending.len() - self.started_stop();
        if self.trim {
            ready = self.pending[..ready].trim_end().len();
        }
        (self.take(ready), None)
    }

    /// Length of the longest end of the pending text that starts a stop sequence.
    fn started_stop(&self) -> usize {
        let pending = self.pending.as_str();
        self.stops
            .iter()
            .filter_map(|(stop, _)| {
                let longest = pending.len().min(stop.len() - 1);
                (1..=longest).rev().find(|&length| {
                    stop.is_char_boundary(length) && pending.ends_with(&stop[..length])
                })
            })
            .max()
            .unwrap_or(0)
    }

    /// What is left when the text ends without a stop sequence.
    pub(crate) fn take_rest(&mut self) -> String {
        let end = if self.trim {
            self.pending.trim_end().len()
        } else {
            self.pending.len()
        };
        self.take(end)
    }

    fn take(&mut self, length: usize) -> String {
        let taken: String = self.pending.drain(..length).collect();
        if self.started || !self.trim {
            return taken;
        }
        let text = taken.trim_start();
        self.started = !text.is_empty();
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `pieces` and returns all that went out, and the stop sequence that was met.
    fn run(stops: &[&str], trim: bool, pieces: &[&str]) -> (String, Option<String>) {
        let stops = stops.iter().map(|&stop| (stop.to_owned(), stop.to_owned()));
        let mut filter = StopFilter::new(stops, trim);
        let mut out = String::new();
        for piece in pieces {
            let (text, stop) = filter.push(piece);
            out.push_str(&text);
            if stop.is_some() {
                return (out, stop);
            }
        }
        out.push_str(&filter.take_rest());
        (out, None)
    }

    #[test]
    fn a_stop_split_anywhere_leaves_no_trace() {
        let text = "one é two\nUser: three";
        let whole: Vec<&str> = text.split_inclusive("").collect();
        assert_eq!(
            run(&["\nUser:"], false, &whole),
            ("one é two".to_owned(), Some("\nUser:".to_owned()))
        );
        for (cut, _) in text.char_indices() {
            let (head, tail) = text.split_at(cut);
            let (out, stop) = run(&["\nUser:"], false, &[head, tail]);
            assert_eq!(
                (out.as_str(), stop.as_deref()),
                ("one é two", Some("\nUser:"))
            );
        }
    }

    #[test]
    fn what_only_looks_like_a_stop_goes_out() {
        let (out, stop) = run(&["\nUser:"], false, &["a\nUs", "ual", "\n", "\nUser"]);
        assert_eq!((out.as_str(), stop), ("a\nUsual\n\nUser", None));
    }

    #[test]
    fn the_earliest_stop_counts() {
        let (out, stop) = run(&["END", "\n\n"], false, &["a\n\nb END"]);
        assert_eq!((out.as_str(), stop.as_deref()), ("a", Some("\n\n")));
    }

    #[test]
    fn overlapping_starts_are_seen() {
        let (out, stop) = run(&["aab"], false, &["xa", "a", "a", "b"]);
        assert_eq!((out.as_str(), stop.as_deref()), ("xa", Some("aab")));
    }

    #[test]
    fn trims_both_ends_but_nothing_inside() {
        let pieces = [" ", "\n Paris", " ", "\n\n", "is it.", " \n", "\nUser", ":"];
        let (out, stop) = run(&["\nUser:"], true, &pieces);
        assert_eq!(
            (out.as_str(), stop.as_deref()),
            ("Paris \n\nis it.", Some("\nUser:"))
        );
        assert_eq!(run(&["\nUser:"], true, &["\nUser:"]).0, "");
        assert_eq!(run(&[], true, &[" a ", " "]).0, "a");
    }

    #[test]
    fn empty_stops_are_ignored() {
        assert_eq!(run(&[""], false, &["text"]), ("text".to_owned(), None));
    }
}
