# Each recipe is a plain cargo line that works without just.

# what a change must pass before it lands
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# unit, property, golden, simulation, program and conformance tests
test:
    cargo test

# take over what the program says now as what it should say
golden:
    INSTA_UPDATE=always cargo test --test golden

# more seeds of the simulations: just sim 1000
sim seeds="200":
    WATCHFIRE_SIM_SEEDS={{seeds}} cargo test --release --test sim

# more mutated inputs for every parser: just fuzz 1000000
fuzz inputs="200000":
    WATCHFIRE_FUZZ_INPUTS={{inputs}} cargo test --release --test fuzz

# kill -9 the running program more often: just kills 50
kills times="50":
    WATCHFIRE_KILLS={{times}} cargo test --test program kill

bench:
    cargo bench

# against the real Prometheus, Alertmanager, node exporter and etcd in the folder peers
diff peers="/tmp/watchfire-peers":
    WATCHFIRE_PEERS={{peers}} cargo test --test peers

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

docker:
    docker build -f docker/Dockerfile -t watchfire .

release:
    cargo build --release --locked
    cargo deny check bans licenses sources
