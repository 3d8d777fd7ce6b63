//! Reads what a client says.

use serde::Deserialize;

use super::super::wire::{Ack, ClientMessage};

/// The message that comes most often by far.
#[derive(Deserialize)]
struct Arrived {
    #[serde(rename = "type")]
    _word: Word,
    bytes: u64,
    buffer_ms: u64,
    gap_ms: Option<u64>,
    delay_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Ack,
}

/// Reads one message. An `ack` is tried first: what may be any message has to be read into memory before it
/// is known which it is.
///
/// # Errors
/// When it is none.
pub(super) fn client_message(text: &str) -> Result<ClientMessage, serde_json::Error> {
    let Ok(arrived) = serde_json::from_str::<Arrived>(text) else {
        return serde_json::from_str(text);
    };
    Ok(ClientMessage::Ack(Ack {
        bytes: arrived.bytes,
        buffer_ms: arrived.buffer_ms,
        gap_ms: arrived.gap_ms,
        delay_ms: arrived.delay_ms,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_any_message_is() {
        for text in [
            r#"{"type":"ack","bytes":7,"buffer_ms":9}"#,
            r#"{"gap_ms":3,"buffer_ms":9,"bytes":7,"type":"ack"}"#,
            r#"{"type":"ack","bytes":7,"buffer_ms":9,"gap_ms":null,"later":[1]}"#,
            r#"{"type":"ack","bytes":7,"buffer_ms":9,"gap_ms":3,"delay_ms":170}"#,
            r#"{"type":"bye"}"#,
            r#"{"type":"seek","position_ms":1,"epoch":2}"#,
            r#"{"type":"pin","rung":null,"bytes":7,"buffer_ms":9}"#,
        ] {
            let plain: ClientMessage = serde_json::from_str(text).unwrap();
            assert_eq!(client_message(text).unwrap(), plain, "{text}");
        }
        for text in ["", "{}", r#"{"type":"ack","bytes":-1,"buffer_ms":9}"#, "7"] {
            assert!(client_message(text).is_err(), "{text}");
        }
    }
}
