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

# the real program killed at random, for example `just torture 1000`; the tests do it 15 times, and 20 while it applies
torture kills="200" *arguments:
    cargo test --test torture -- --kills {{ kills }} {{ arguments }}
    SELLERD_SYNC_KILLS={{ kills }} SELLERD_SYNC_ITEMS=2000 cargo test --test it killed_while_it_applies -- --nocapture

# the agent's own loop under seeded disasters, for example `just simulate 500`; the tests tell 150 stories
simulate seeds="10000" *arguments:
    cargo test --release --test simulation -- --seeds {{ seeds }} {{ arguments }}

# Needs cargo-fuzz. The compiler is told to take nightly's flags, so any toolchain will do.
#
# a fuzz target for some seconds: cardmarket, trademe, config, source, schedule, money or target
fuzz name seconds="600":
    #!/usr/bin/env bash
    set -euo pipefail
    options=(-max_total_time={{ seconds }} -max_len=12000 -timeout=10)
    if [[ -f fuzz/{{ name }}.dict ]]; then options+=(-dict=fuzz/{{ name }}.dict); fi
    mkdir -p fuzz/target/found/{{ name }}
    RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none {{ name }} \
        fuzz/target/found/{{ name }} fuzz/corpus/{{ name }} -- "${options[@]}"

# sellerd itself, for example `just run try`
run *arguments:
    cargo run --release -- {{ arguments }}

# the format
fmt:
    cargo fmt
