# What is done to sellerd every day. `just` alone lists it.

_default:
    @just --list --unsorted

# everything the CI checks, in the same way
check:
    bash .ci/run

# the tests
test *arguments:
    cargo test {{ arguments }}

# the benches; each prints its ratios and fails under its bar
bench *arguments:
    cargo bench {{ arguments }}

# sellerd itself, for example `just run try`
run *arguments:
    cargo run --release -- {{ arguments }}

# the format
fmt:
    cargo fmt
