//! Order and wholeness on a stream that takes little at a time.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::{BinaryMessage, Message, Moved, Socket};

/// What the server sends.
#[derive(Clone, Debug)]
enum Sent {
    Words(String),
    Shared(Vec<u8>, Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    prop_oneof![
        "[a-z]{0,200}".prop_map(Sent::Words),
        (bytes(20), bytes(300)).prop_map(|(head, body)| Sent::Shared(head, body)),
        // Lengths of two and of eight bytes.
        (bytes(20), (120_usize..70_000)).prop_map(|(head, size)| Sent::Shared(head, vec![7; size])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is sent, however little the other side takes at a time, and though it pings meanwhile.
    #[test]
    fn words_and_shared_messages_arrive_whole_and_in_order(
        messages in prop::collection::vec(sent(), 1..12),
        taken in 1_usize..3_000,
        pings in 0_usize..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(exchange(messages, taken, pings));
    }
}

async fn exchange(messages: Vec<Sent>, taken: usize, pings: usize) {
    let (near, far) = duplex(taken);
    let config = WebSocketConfig::default().write_buffer_size(0);
    let socket = Socket::new(near, Vec::new(), config).await;
    let client = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    let (mut speaking, mut client) = client.split();
    let expected: Vec<Message> = messages
        .iter()
        .map(|message| match message.clone() {
            Sent::Words(words) => Message::text(words),
            Sent::Shared(head, body) => Message::binary([head, body].concat()),
        })
        .collect();
    let serving = async move {
        let mut socket = socket;
        for message in messages {
            // Once the other side had a word in between.
            tokio::task::yield_now().await;
            while let Moved::Heard(_) = tokio::select! {
                biased;
                moved = socket.moved(false, true) => moved,
                () = std::future::ready(()) => Moved::Flushed,
            } {}
            match message {
                Sent::Words(words) => socket.feed(Message::text(words)).await.unwrap(),
                Sent::Shared(head, body) => {
                    let message = BinaryMessage::new(&head, Bytes::from(body));
                    socket.feed_shared(message).await.unwrap();
                }
            }
        }
        socket.send(Message::Close(None)).await.unwrap();
        while let Some(Ok(_)) = socket.recv().await {}
    };
    let pinging = async {
        for _ in 0..pings {
            // The server may have said farewell before.
            if speaking.send(Message::Ping("there?".into())).await.is_err() {
                break;
            }
        }
    };
    let listening = async {
        let mut heard = Vec::new();
        while let Some(message) = client.next().await {
            let message = message.unwrap();
            if matches!(message, Message::Text(_) | Message::Binary(_)) {
                heard.push(message);
            }
        }
        heard
    };
    let ((), (), heard) = tokio::join!(serving, pinging, listening);
    assert_eq!(heard, expected);
}

/// Who sends what is no message is told so.
#[tokio::test]
async fn bytes_that_are_no_message_are_told_from_a_broken_connection() {
    // Masked frames of clients (RFC 6455, section 5.2): words that are no UTF-8, an unknown kind of frame.
    for wrong in [[0x81, 0x81, 0, 0, 0, 0, 0xff], [0x83, 0x81, 0, 0, 0, 0, 0]] {
        let (near, mut far) = duplex(1_000);
        let mut socket = Socket::new(near, Vec::new(), WebSocketConfig::default()).await;
        far.write_all(&wrong).await.unwrap();
        assert!(matches!(socket.moved(false, true).await, Moved::Unreadable));
        socket.send(Message::text("malformed")).await.unwrap();
        drop(socket);
        let mut said = Vec::new();
        far.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, [&[0x81, 9], &b"malformed"[..]].concat());
    }
    let (near, far) = duplex(1_000);
    let mut socket = Socket::new(near, Vec::new(), WebSocketConfig::default()).await;
    drop(far);
    assert!(matches!(socket.moved(false, true).await, Moved::Gone));
}
