//! What a client was told, in a form that snapshots can hold.

use reqwest::Response;

/// `STATUS BODY`, with the request's id replaced by `[id]`.
pub(crate) async fn told(response: Response) -> String {
    let status = response.status().as_u16();
    let id = request_id(&response);
    let body = response.text().await.expect("a whole body");
    format!("{status} {}", without_id(&body, &id))
}

/// The response's `x-skinflint-request-id`; empty when there is none.
pub(crate) fn request_id(response: &Response) -> String {
    header(response, "x-skinflint-request-id")
}

/// A header's value; empty when there is none.
pub(crate) fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    let text = value.and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}

/// `text` with `[id]` for the request's id.
pub(crate) fn without_id(text: &str, id: &str) -> String {
    if id.is_empty() {
        return text.to_owned();
    }
    text.replace(id, "[id]")
}
