//! The `skinflint` command.

use std::process::ExitCode;

/// A call makes some hundred small allocations; this allocator serves them in half the time of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!(
    "the feature `failpoints` is for tests: a release build must not end where it is told to"
);

fn main() -> ExitCode {
    // The environment variable `FAILPOINTS` says where to end.
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    skinflint::cli::main()
}
