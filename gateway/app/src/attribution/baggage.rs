//! The W3C `baggage` header: `key=value;property, key=value`, values percent-encoded.

use super::Label;

/// The members as pairs.
pub(super) fn members(header: &str) -> impl Iterator<Item = (&str, String)> {
    header.split(',').filter_map(|member| {
        let (key, value) = member.split(';').next()?.split_once('=')?;
        Some((key.trim(), percent_decode(value.trim())))
    })
}

/// The first of `keys` that the header has.
pub(super) fn find(header: &str, keys: &[&str]) -> Option<Label> {
    keys.iter().find_map(|wanted| {
        members(header)
            .find(|(key, _)| key == wanted)
            .and_then(|(_, value)| Label::new(&value))
    })
}

fn percent_decode(text: &str) -> String {
    url::form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_split_and_decoded() {
        let header = "session.id=a%20b;ttl=3, task = x+y ,broken, =";
        let found: Vec<_> = members(header).collect();
        assert_eq!(found[0], ("session.id", "a b".to_owned()));
        assert_eq!(found[1], ("task", "x+y".to_owned()));
        assert_eq!(find(header, &["none", "task"]), Label::new("x+y"));
    }
}
