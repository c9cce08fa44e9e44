use super::*;
use crate::{End, FakeProvider, RawConnection, Script};

const GET: &str = "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n";

async fn connect(proxy: &ChaosProxy) -> RawConnection {
    RawConnection::open(proxy.address).await
}

async fn works(proxy: &ChaosProxy) {
    let mut peer = connect(proxy).await;
    peer.send(GET).await;
    assert_eq!(peer.response().await.unwrap().status, 200);
}

#[tokio::test]
async fn it_passes_and_delays() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    works(&proxy).await;
    let delay = Duration::from_millis(20);
    proxy.set(Mode::Delay(delay)).await;
    let start = tokio::time::Instant::now();
    works(&proxy).await;
    assert!(
        start.elapsed() >= 2 * delay,
        "there and back took {:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn it_refuses_and_comes_back_on_the_same_port() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    let mut open = connect(&proxy).await;
    open.send(GET).await;
    open.response().await.unwrap();

    proxy.set(Mode::Refuse).await;
    assert!(open.closed().await.is_empty());
    let refused = TcpStream::connect(proxy.address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

    proxy.restore().await;
    works(&proxy).await;
}

#[tokio::test]
async fn a_blackhole_holds_the_bytes_until_it_is_restored() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    proxy.set(Mode::Blackhole).await;
    let mut peer = connect(&proxy).await;
    peer.send(GET).await;
    // The request cannot have passed, or it would be recorded after this one that takes the direct way.
    let mut direct = RawConnection::open(provider.address()).await;
    direct.post("/v1/messages", "{}").await;
    direct.response().await.unwrap();
    assert_eq!(provider.exchanges().len(), 1);

    proxy.restore().await;
    assert_eq!(peer.response().await.unwrap().status, 200);
}

#[tokio::test]
async fn it_resets_after_so_many_bytes_of_either_direction() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    proxy.set(Mode::ResetAfter(Direction::ToGateway, 20)).await;
    let mut peer = connect(&proxy).await;
    peer.send(GET).await;
    assert_eq!(peer.closed().await.len(), 20);

    proxy.set(Mode::ResetAfter(Direction::ToProvider, 10)).await;
    let before = provider.exchanges().len();
    let mut peer = connect(&proxy).await;
    peer.send(GET).await;
    assert!(peer.closed().await.is_empty());
    assert_eq!(provider.exchanges().len(), before);
}

#[tokio::test]
async fn a_half_close_ends_one_direction() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    proxy
        .set(Mode::HalfCloseAfter(Direction::ToGateway, 20))
        .await;
    provider.script(Script::silent());
    let mut peer = connect(&proxy).await;
    peer.post("/v1/messages", "{}").await;
    provider
        .wait_until("the request is in", |all| all.len() == 1)
        .await;
    peer.close();
    let all = provider
        .wait_until("the end is passed on", |all| all[0].end.is_some())
        .await;
    assert!(matches!(all[0].end, Some(End::PeerClosed { .. })));

    let mut peer = connect(&proxy).await;
    peer.send(GET).await;
    assert_eq!(peer.closed().await.len(), 20);
}
