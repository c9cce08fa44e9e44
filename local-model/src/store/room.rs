//! Room on the disk.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// There is not enough room.
#[derive(Debug, Error)]
#[error("{} has room for {} MiB, but {} MiB are to be fetched into it", dir.display(), free >> 20, needed.div_ceil(1 << 20))]
pub struct NoRoom {
    /// Where.
    pub dir: PathBuf,
    /// Bytes that are needed.
    pub needed: u64,
    /// Bytes that are free.
    pub free: u64,
}

/// Whether the file system of `dir`, which exists, has room for `needed` bytes more. One that does not say is taken to have it.
pub fn ensure_room(dir: &Path, needed: u64) -> Result<(), NoRoom> {
    let Ok(state) = rustix::fs::statvfs(dir) else {
        return Ok(());
    };
    let free = state.f_bavail.saturating_mul(state.f_frsize);
    if needed <= free {
        return Ok(());
    }
    Err(NoRoom {
        dir: dir.to_path_buf(),
        needed,
        free,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_any_disk_has_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        ensure_room(dir.path(), 0).unwrap();
        let error = ensure_room(dir.path(), u64::MAX).unwrap_err();
        assert!(
            error.to_string().contains("are to be fetched into it"),
            "{error}"
        );
    }
}
