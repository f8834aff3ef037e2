//! Decoders of content codings, all in Rust, with a limit on the decoded size.

use std::io::{self, Read};

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::content_coding::ContentCoding;

/// The window size that a zstd decoder must support, and that an encoder must not exceed (RFC 9659 §3), in bytes.
const ZSTD_WINDOW: usize = 8 * 1024 * 1024;

/// The size of the input buffer of the brotli decoder, in bytes.
const BROTLI_BUFFER: usize = 4096;

/// Returns the decoded body, or `None` if it is longer than `limit` bytes. No decoder produces more than one byte beyond the limit.
///
/// The memory of the decoders is bounded too: the window of zstd by 8 MiB or the limit, whichever is larger, and the window of brotli by
/// 16 MiB.
pub(super) fn decompress(coding: ContentCoding, body: &[u8], limit: usize) -> io::Result<Option<Vec<u8>>> {
    match coding {
        ContentCoding::Gzip => read(MultiGzDecoder::new(body), limit),
        // `deflate` means zlib (RFC 9110 §8.4.1.2), but some servers send the stream without the zlib header.
        ContentCoding::Deflate => {
            read(ZlibDecoder::new(body), limit).or_else(|_| read(DeflateDecoder::new(body), limit))
        }
        ContentCoding::Brotli => read(Decompressor::new(body, BROTLI_BUFFER), limit),
        ContentCoding::Zstd => zstd(body, limit),
    }
}

fn read(decoder: impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut decoded = Vec::new();
    read_more(decoder, &mut decoded, limit)?;
    Ok((decoded.len() <= limit).then_some(decoded))
}

/// Reads until the data ends or is one byte longer than the limit.
fn read_more(decoder: impl Read, decoded: &mut Vec<u8>, limit: usize) -> io::Result<()> {
    let room = (limit as u64).saturating_add(1).saturating_sub(decoded.len() as u64);
    decoder.take(room).read_to_end(decoded).map(drop)
}

/// Decodes a sequence of frames, and skips skippable ones (RFC 8878 §3.1).
fn zstd(mut body: &[u8], limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut frames = FrameDecoder::new();
    frames.set_max_window_size(ZSTD_WINDOW.max(limit) as u64);
    let mut decoded = Vec::new();
    while !body.is_empty() {
        match StreamingDecoder::new_with_decoder(&mut body, &mut frames) {
            Ok(frame) => read_more(frame, &mut decoded, limit)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                body = body.get(length as usize..).ok_or(io::ErrorKind::UnexpectedEof)?;
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        if decoded.len() > limit {
            return Ok(None);
        }
    }
    Ok(Some(decoded))
}
