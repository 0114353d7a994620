//! Lets through what is a message. The protocol library stops serving at the first bytes that are none; here they are
//! passed over, with a line on standard error.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tower_lsp::jsonrpc::Request;

/// Longest message that is taken, in bytes. Behind a longer one nobody knows where the next begins.
const LONGEST: usize = 512 << 20;
/// Longest line of a header.
const LONGEST_LINE: u64 = 4096;

/// Copies the messages of `input` to `output` until one of them ends.
pub async fn pass(input: impl AsyncRead + Unpin, mut output: impl AsyncWrite + Unpin) {
    let mut input = BufReader::new(input);
    loop {
        match body(&mut input).await {
            Ok(None) => return,
            Ok(Some(body)) if is_message(&body) => {
                let header = format!("Content-Length: {}\r\n\r\n", body.len());
                let sent = async {
                    output.write_all(header.as_bytes()).await?;
                    output.write_all(&body).await?;
                    output.flush().await
                };
                if sent.await.is_err() {
                    return;
                }
            }
            Ok(Some(body)) => eprintln!("icpc-lsp: {} bytes that are no message are passed over", body.len()),
            Err(error) => return eprintln!("icpc-lsp: {error}"),
        }
    }
}

/// The next body; `None` at the end of the input.
async fn body(input: &mut (impl AsyncBufReadExt + Unpin)) -> Result<Option<Vec<u8>>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        (&mut *input).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        match (text.trim_end().split_once(':'), length) {
            (Some((name, value)), _) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse::<usize>().ok();
            }
            (None, Some(length)) if text.trim_end().is_empty() => {
                if length > LONGEST {
                    let reason = format!("a message of {length} bytes is more than {LONGEST}");
                    return Err(Error::new(ErrorKind::InvalidData, reason));
                }
                let mut body = Vec::new();
                (&mut *input).take(length as u64).read_to_end(&mut body).await?;
                return Ok((body.len() == length).then_some(body));
            }
            // Another header, or something that is none: the next length counts.
            _ => {}
        }
    }
}

/// Whether the library will take it: UTF-8, JSON, an object of JSON-RPC 2.0. Answers are requests without a method to
/// this check.
fn is_message(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<Request>(text).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(input: &[u8]) -> String {
        let mut output = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(pass(input, &mut output));
        String::from_utf8(output).unwrap().replace("\r\n\r\n", " ")
    }

    #[test]
    fn messages_pass_and_the_rest_does_not() {
        let good = "{\"jsonrpc\":\"2.0\",\"method\":\"exit\"}";
        let answer = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}";
        let frame = |body: &[u8]| {
            [format!("content-length:{}\r\nX: y\r\n\r\n", body.len()).as_bytes(), body].concat()
        };
        let expected =
            format!("Content-Length: {} {good}Content-Length: {} {answer}", good.len(), answer.len());
        for bad in [&b"{\"jsonrpc\":"[..], b"\xff\xfe", b"[]", b"{\"a\":1}", b"\"2.0\"", b""] {
            let input = [frame(bad), frame(good.as_bytes()), frame(bad), frame(answer.as_bytes())].concat();
            assert_eq!(passed(&input), expected, "{bad:?}");
        }
        let input =
            [b"noise\r\n\r\nContent-Length: many\r\n\r\n", frame(good.as_bytes()).as_slice()].concat();
        assert!(passed(&input).ends_with(good), "a header without a length is passed over");
        assert_eq!(passed(b"Content-Length: 99999999999999\r\n\r\n{}"), "");
        assert_eq!(passed(b"Content-Length: 50\r\n\r\n{}"), "", "an input that ends in a message");
    }
}
