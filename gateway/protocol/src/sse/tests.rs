use proptest::prelude::*;

use super::*;

/// All frames of a stream that comes in these chunks, and what is left.
fn decode(chunks: &[&[u8]]) -> (Vec<Frame>, Bytes) {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        frames.extend(std::iter::from_fn(|| decoder.next_frame()));
    }
    frames.extend(decoder.finish());
    let tail = decoder.take_partial();
    assert_eq!(decoder.partial_len(), 0);
    (frames, tail)
}

fn event(name: Option<&str>, data: &str, id: Option<&str>) -> Event {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    Event {
        name: name.map(bytes),
        data: bytes(data),
        id: id.map(bytes),
    }
}

fn events(stream: &str) -> Vec<Option<Event>> {
    let (frames, _) = decode(&[stream.as_bytes()]);
    frames.into_iter().map(|frame| frame.event).collect()
}

#[test]
fn line_ends_of_all_kinds_end_lines() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = "event: a\ndata: 1\n\ndata: 2\n\n".replace('\n', end);
        let (frames, tail) = decode(&[stream.as_bytes()]);
        let found: Vec<_> = frames.iter().map(|frame| frame.event.clone()).collect();
        assert_eq!(
            found,
            [
                Some(event(Some("a"), "1", None)),
                Some(event(None, "2", None))
            ],
            "{end:?}"
        );
        assert_eq!(frames[0].raw, format!("event: a{end}data: 1{end}{end}"));
        assert!(tail.is_empty());
    }
}

#[test]
fn fields_are_read_as_the_standard_says() {
    assert_eq!(
        events("data: YHOO\ndata: +2\ndata: 10\n\n"),
        [Some(event(None, "YHOO\n+2\n10", None))]
    );
    assert_eq!(
        events(": note\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n"),
        [
            None,
            Some(event(None, "first", Some("1"))),
            Some(event(None, "second", Some(""))),
            Some(event(None, " third", None)),
        ]
    );
    assert_eq!(
        events("data\n\ndata\ndata\n\n"),
        [Some(event(None, "", None)), Some(event(None, "\n", None))]
    );
    assert_eq!(events("retry: 10\nevent: ping\n\n"), [None]);
    assert_eq!(
        events("event:\nunknown: 1\nid: a\0b\ndata: a:b\n\n"),
        [Some(event(None, "a:b", None))]
    );
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_alone() {
    let (frames, _) = decode(&["\u{feff}data: 1\n\n\u{feff}data: 2\n\n".as_bytes()]);
    assert_eq!(frames[0].event, Some(event(None, "1", None)));
    assert_eq!(frames[0].raw, "\u{feff}data: 1\n\n");
    assert_eq!(frames[1].event, None);
    let (frames, _) = decode(&[b"\xef", b"\xbb", b"\xbf", b"\n", b"data: 1\n\n"]);
    assert_eq!(frames[0].raw, "\u{feff}\n");
    assert_eq!(frames[1].event, Some(event(None, "1", None)));
}

#[test]
fn an_unfinished_event_is_no_event() {
    let (frames, tail) = decode(&[b"data: 1\n\ndata: 2\n"]);
    assert_eq!(frames.len(), 1);
    assert_eq!(tail, "data: 2\n");
}

#[test]
fn a_blank_line_in_a_bare_return_waits_for_its_line_feed() {
    let mut decoder = Decoder::new();
    decoder.push(Bytes::from_static(b"data: 1\r\n\r"));
    assert_eq!(decoder.next_frame(), None);
    assert_eq!(decoder.partial_len(), 10);
    decoder.push(Bytes::from_static(b"\n"));
    assert_eq!(decoder.next_frame().unwrap().raw, "data: 1\r\n\r\n");
    decoder.push(Bytes::from_static(b"data: 2\r\r"));
    assert_eq!(decoder.next_frame(), None);
    assert_eq!(decoder.finish().unwrap().raw, "data: 2\r\r");
    assert_eq!(decoder.finish(), None);
}

#[test]
fn frames_within_a_chunk_are_not_copied() {
    let chunk = Bytes::from("event: x\ndata: {\"a\":1}\n\ndata: 2\n\n".to_owned());
    let within = |bytes: &Bytes| chunk.as_ptr_range().contains(&bytes.as_ptr());
    let mut decoder = Decoder::new();
    decoder.push(chunk.clone());
    for _ in 0..2 {
        let frame = decoder.next_frame().unwrap();
        assert!(within(&frame.raw));
        assert!(within(&frame.event.unwrap().data));
    }
}

#[test]
fn a_large_event_in_small_chunks_is_copied_a_few_times_and_then_let_go() {
    const SIZE: usize = 1 << 20;
    let mut decoder = Decoder::new();
    let mut moves = 0;
    let mut capacity = 0;
    let byte = Bytes::from_static(b"data");
    for at in 0..SIZE {
        let at = at % byte.len();
        decoder.push(byte.slice(at..=at));
        assert_eq!(decoder.next_frame(), None);
        moves += usize::from(decoder.held.capacity() != capacity);
        capacity = decoder.held.capacity();
    }
    assert_eq!(decoder.partial_len(), SIZE);
    // Growth doubles, so all moves together copy less than the event twice.
    assert!(moves <= 20 && capacity <= 2 * SIZE, "{moves} {capacity}");
    decoder.push(Bytes::from_static(b"\n\ndata: 2"));
    assert_eq!(decoder.next_frame().unwrap().raw.len(), SIZE + 2);
    assert_eq!(decoder.next_frame(), None);
    assert_eq!(decoder.partial_len(), 7);
    assert!(decoder.held.capacity() < 1024);
}

#[test]
fn floods_of_lines_and_frames_are_passed_once() {
    const LINES: usize = 300_000;
    let (frames, _) = decode(&["data\n".repeat(LINES).as_bytes(), b"\n"]);
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].event.as_ref().unwrap().data.len(), LINES - 1);
    let (frames, tail) = decode(&["\n".repeat(LINES).as_bytes()]);
    assert_eq!((frames.len(), tail.len()), (LINES, 0));
    assert!(frames.iter().all(|frame| frame.event.is_none()));
}

#[test]
fn what_is_written_reads_back() {
    assert_eq!(
        encode_event(Some("ping"), "{}"),
        "event: ping\ndata: {}\n\n"
    );
    let written = encode_event(None, "a\nb\r\nc\rd");
    assert_eq!(written, "data: a\ndata: b\ndata: c\ndata: d\n\n");
    let (frames, _) = decode(&[&written]);
    assert_eq!(frames[0].event, Some(event(None, "a\nb\nc\nd", None)));
    assert_eq!(encode_comment("a\nb"), ": a\n: b\n\n");
}

/// Streams with every kind of line and line end, also in the wrong places.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"\n"[..],
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"data: x",
        b"data:",
        b"data: {\"text\":\"\xc3\xa9\"}\n",
        b"event: delta\n",
        b"id: 7",
        b": comment",
        b"\xef\xbb\xbf",
        b"\xef\xbb",
        b"\xff",
        b"retry: 1\n",
        b" ",
        b":",
    ]);
    prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn frames_do_not_depend_on_chunks(
        stream in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
        let bytewise: Vec<&[u8]> = stream.chunks(1).collect();

        let whole = decode(&[&stream]);
        prop_assert_eq!(&decode(&chunks), &whole);
        prop_assert_eq!(&decode(&bytewise), &whole);
    }

    #[test]
    fn no_byte_is_lost(stream in stream()) {
        let (frames, tail) = decode(&[&stream]);
        let mut bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.raw.to_vec()).collect();
        bytes.extend_from_slice(&tail);
        prop_assert_eq!(bytes, stream);
    }

    #[test]
    fn written_events_carry_any_text(name in "[a-z.]{0,10}", data: String) {
        let named = Some(name.as_str()).filter(|name| !name.is_empty());
        let (frames, tail) = decode(&[&encode_event(named, &data)]);
        let data = data.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(frames.len(), 1);
        prop_assert_eq!(frames[0].event.clone(), Some(event(named, &data, None)));
        prop_assert!(tail.is_empty());
    }
}
