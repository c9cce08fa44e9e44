//! The `skinflint` command.

use std::process::ExitCode;

/// A call makes some hundred small allocations; this allocator serves them in half the time of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    skinflint::cli::main()
}
