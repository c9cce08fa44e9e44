//! What a terminal does not show, taken away.

use memchr::{memchr, memchr2};

/// Something that was taken away for good. It carries no meaning for whoever reads the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Normalisation {
    /// ANSI escape codes (ECMA-48): colours, cursor movements, titles.
    AnsiCodes,
    /// States of a progress line that a later one overwrote after a carriage return.
    ProgressStates,
    /// Spaces, tabs and spare carriage returns at the ends of lines.
    TrailingSpace,
}

impl Normalisation {
    /// Its name in logs and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnsiCodes => "ansi_codes",
            Self::ProgressStates => "progress_states",
            Self::TrailingSpace => "trailing_space",
        }
    }
}

const ESCAPE: u8 = 0x1b;

/// All of them in turn, and which took something away; `None` where none did. Doing it again takes
/// nothing more.
pub fn normalise(text: &str) -> Option<(String, Vec<Normalisation>)> {
    let mut done = Vec::new();
    let mut current: Option<String> = None;
    for (name, step) in [
        (
            Normalisation::AnsiCodes,
            without_ansi_codes as fn(&str) -> Option<String>,
        ),
        (Normalisation::TrailingSpace, without_trailing_space),
        (Normalisation::ProgressStates, without_progress_states),
    ] {
        if let Some(next) = step(current.as_deref().unwrap_or(text)) {
            current = Some(next);
            done.push(name);
        }
    }
    current.map(|text| (text, done))
}

/// Without ANSI escape codes; `None` where there are none. An escape byte that begins no code goes as
/// well.
pub fn without_ansi_codes(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut next = memchr(ESCAPE, bytes)?;
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    loop {
        kept.push_str(&text[from..next]);
        from = next + code_length(&bytes[next..]);
        match memchr(ESCAPE, &bytes[from..]) {
            Some(offset) => next = from + offset,
            None => break,
        }
    }
    kept.push_str(&text[from..]);
    Some(kept)
}

/// How many bytes the code has that bytes begin with; 1 for an escape byte alone. Codes are ASCII but
/// for the text of a title, which ends before the code does.
fn code_length(bytes: &[u8]) -> usize {
    /// A title or a link has to end within this many bytes.
    const MAX_STRING: usize = 4096;
    match bytes.get(1) {
        Some(b'[') => {
            let parameters = bytes[2..]
                .iter()
                .take_while(|byte| (0x20..=0x3f).contains(*byte))
                .count();
            match bytes.get(2 + parameters) {
                Some(0x40..=0x7e) => 3 + parameters,
                _ => 1,
            }
        }
        Some(b']') => {
            let string = &bytes[2..bytes.len().min(MAX_STRING)];
            match memchr2(0x07, ESCAPE, string) {
                Some(end) if string[end] == 0x07 => end + 3,
                Some(end) if string.get(end + 1) == Some(&b'\\') => end + 4,
                _ => 1,
            }
        }
        Some(0x20..=0x2f) => match bytes.get(2) {
            Some(0x30..=0x7e) => 3,
            _ => 1,
        },
        Some(0x30..=0x7e) => 2,
        _ => 1,
    }
}

/// Each progress line in its last state; `None` where there are none. Carriage returns at the ends of
/// lines stay.
pub fn without_progress_states(text: &str) -> Option<String> {
    memchr(b'\r', text.as_bytes())?;
    by_line(text, |line| {
        let (states, end) = match line.strip_suffix('\r') {
            Some(states) => (states, "\r"),
            None => (line, ""),
        };
        let (before, last) = states.rsplit_once('\r')?;
        before.split('\r').all(is_progress).then_some((last, end))
    })
}

/// Whether part of a line looks like a state of a bar, a count or a spinner.
fn is_progress(state: &str) -> bool {
    let shows = |symbol: char| {
        symbol.is_ascii_digit()
            || matches!(symbol, '%' | '|' | '/' | '-' | '\\')
            || ('\u{2500}'..='\u{28ff}').contains(&symbol)
    };
    state.len() < 1000 && (state.trim().is_empty() || state.contains(shows))
}

/// Without spaces, tabs and spare carriage returns at the ends of lines; `None` where there are none.
pub fn without_trailing_space(text: &str) -> Option<String> {
    by_line(text, |line| {
        let (content, end) = match line.strip_suffix('\r') {
            Some(content) => (content, "\r"),
            None => (line, ""),
        };
        let kept = content.trim_end_matches([' ', '\t', '\r']);
        (kept.len() < content.len()).then_some((kept, end))
    })
}

/// Replaces lines by two parts of them; `None` where no line is replaced.
fn by_line<'t>(
    text: &'t str,
    change: impl Fn(&'t str) -> Option<(&'t str, &'t str)>,
) -> Option<String> {
    let mut kept: Option<String> = None;
    let mut from = 0;
    let mut at = 0;
    for line in text.split('\n') {
        if let Some((content, end)) = change(line) {
            let kept = kept.get_or_insert_with(|| String::with_capacity(text.len()));
            kept.push_str(&text[from..at]);
            kept.push_str(content);
            kept.push_str(end);
            from = at + line.len();
        }
        at += line.len() + 1;
    }
    let mut kept = kept?;
    kept.push_str(&text[from..]);
    Some(kept)
}

/// Whether bytes have a date in them: four digits, two and two between `-` or `/`, or a day beside the
/// name of a month.
pub(crate) fn has_date(bytes: &[u8]) -> bool {
    const MONTHS: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let numeric = bytes.windows(10).any(|date| {
        matches!(date[4], b'-' | b'/')
            && date[4] == date[7]
            && digits(&date[..4])
            && digits(&date[5..7])
            && digits(&date[8..])
    });
    numeric
        || (bytes.iter().any(u8::is_ascii_digit)
            && bytes
                .windows(3)
                .any(|name| MONTHS.iter().any(|month| name == *month)))
}
