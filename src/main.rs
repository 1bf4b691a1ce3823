//! The binary: parse, run, exit code.

fn main() -> std::process::ExitCode {
    sellerd::cli::main()
}
