//! SHA-256 as files name it: lower-case hex.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// How much is read at a time, in bytes.
const BUFFER: usize = 1 << 20;

/// A SHA-256 checksum in the making.
#[derive(Debug, Default)]
pub(crate) struct Checksum {
    hash: Sha256,
}

impl Checksum {
    /// The checksum of a file; `progress` is told how many bytes more have been read.
    pub(crate) fn of_file(path: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<String> {
        let mut file = File::open(path)?;
        let mut checksum = Self::default();
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(checksum.finish());
            }
            checksum.update(&buffer[..read]);
            progress(read as u64);
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// 64 lower-case hex digits.
    pub(crate) fn finish(self) -> String {
        let mut hex = String::with_capacity(64);
        for byte in self.hash.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}
