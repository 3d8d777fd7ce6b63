//! From a request to a socket (RFC 6455 section 4.2).

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Parts as Connected};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::Socket;
use crate::error::Error;

/// What a socket may take, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Read at once. The library's own 128 KiB would cost 10,000 viewers 1.2 GiB.
    pub read_buffer: usize,
    /// Longest message of the other side.
    pub longest_message: usize,
    /// Words that may wait to go out.
    pub waiting_words: usize,
}

/// A request that may become a socket.
#[derive(Debug)]
pub struct Upgrade {
    key: HeaderValue,
    /// No other header: cookies are nobody's business here.
    offered: Vec<HeaderValue>,
    on_upgrade: OnUpgrade,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let headers = &parts.headers;
        let asks = parts.method == Method::GET
            && lists(headers, &header::CONNECTION, "upgrade")
            && lists(headers, &header::UPGRADE, "websocket")
            && lists(headers, &header::SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks);
        let key = key.cloned();
        let offered = values(headers, &header::SEC_WEBSOCKET_PROTOCOL);
        let on_upgrade = parts.extensions.remove::<OnUpgrade>();
        match (key, on_upgrade) {
            (Some(key), Some(on_upgrade)) => Ok(Self {
                key,
                offered,
                on_upgrade,
            }),
            _ => Err(Error::Malformed("a WebSocket is opened here".into())),
        }
    }
}

impl Upgrade {
    /// Agrees on the protocol.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the client does not offer it.
    pub fn speaking(self, protocol: &'static str) -> Result<Agreed, Error> {
        if !have(&self.offered, protocol) {
            return Err(Error::Malformed(format!("the subprotocol is {protocol}")));
        }
        let accept = derive_accept_key(self.key.as_bytes());
        // Base64 is always a header's value.
        let accept = HeaderValue::try_from(accept)
            .map_err(|_| Error::Malformed("Sec-WebSocket-Key".into()))?;
        Ok(Agreed {
            protocol,
            accept,
            on_upgrade: self.on_upgrade,
        })
    }
}

/// A request that becomes a socket.
#[derive(Debug)]
pub struct Agreed {
    protocol: &'static str,
    accept: HeaderValue,
    on_upgrade: OnUpgrade,
}

impl Agreed {
    /// Has `serve` serve the socket, in a task that ends with it.
    pub fn serve<F>(
        self,
        bounds: Bounds,
        serve: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let on_upgrade = self.on_upgrade;
        tokio::spawn(async move {
            // Gone before it began: there is nobody to serve.
            let Ok(upgraded) = on_upgrade.await else {
                return;
            };
            let config = WebSocketConfig::default()
                .read_buffer_size(bounds.read_buffer)
                .write_buffer_size(0)
                .max_write_buffer_size(bounds.waiting_words)
                .max_message_size(Some(bounds.longest_message))
                .max_frame_size(Some(bounds.longest_message));
            // Straight to the kernel: what HTTP puts around a connection costs each read and write.
            match upgraded.downcast::<TokioIo<TcpStream>>() {
                Ok(Connected { io, read_buf, .. }) => {
                    let read = read_buf.to_vec();
                    // As large as the requests of the whole connection were.
                    drop(read_buf);
                    serve(Socket::new(io.into_inner(), read, config).await).await;
                }
                Err(_) => tracing::error!("a connection that is none of TCP became no socket"),
            }
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        let word = HeaderValue::from_static;
        headers.insert(header::CONNECTION, word("upgrade"));
        headers.insert(header::UPGRADE, word("websocket"));
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, word(self.protocol));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        response
    }
}

fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<HeaderValue> {
    headers.get_all(name).iter().cloned().collect()
}

fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    have(&values(headers, name), word)
}

/// Whether one of these lists of words has this one, whatever its case.
fn have(lists: &[HeaderValue], word: &str) -> bool {
    lists
        .iter()
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|each| each.trim().eq_ignore_ascii_case(word))
}
