//! The `skinflint` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    skinflint::cli::main()
}
