//! A plain reader of event streams, written apart from the gateway's own codec so that it can judge it.

use serde_json::Value;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Value of the field `event`; empty when there is none.
    pub name: String,
    /// Value of the fields `data`.
    pub data: String,
}

impl Event {
    /// The data read as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }
}

/// The whole events of `stream`, and the bytes after the last of them. Comments are left out.
pub fn events(stream: &[u8]) -> (Vec<Event>, Vec<u8>) {
    let mut rest = stream;
    let mut events = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\n\n") {
        let block = String::from_utf8_lossy(&rest[..end]);
        rest = &rest[end + 2..];
        let field = |name: &str| {
            let of = |line: &str| {
                line.strip_prefix(name)
                    .and_then(|line| line.strip_prefix(':'))
                    .map(value)
            };
            let values: Vec<String> = block.lines().filter_map(of).collect();
            values.join("\n")
        };
        let event = Event {
            name: field("event"),
            data: field("data"),
        };
        if !(event.name.is_empty() && event.data.is_empty()) {
            events.push(event);
        }
    }
    (events, rest.to_vec())
}

fn value(field: &str) -> String {
    field.strip_prefix(' ').unwrap_or(field).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_comments_and_the_rest() {
        let (events, rest) =
            events(b": hi\n\nevent: a\ndata: 1\ndata: 2\n\ndata: [DONE]\n\ndata: cu");
        let event = |name: &str, data: &str| Event {
            name: name.into(),
            data: data.into(),
        };
        assert_eq!(events, [event("a", "1\n2"), event("", "[DONE]")]);
        assert_eq!(rest, b"data: cu");
    }
}
