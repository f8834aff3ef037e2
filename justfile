# The steps of `.ci/run`, where the commands are. `just` alone lists them.

[private]
default:
    @just --list

# Everything, as CI does it
ci:
    bash .ci/run

# Install what the steps need (Debian)
setup:
    bash .ci/run setup

# Formatting
fmt:
    bash .ci/run fmt

# Lints, with all features and with none
clippy:
    bash .ci/run clippy

# All tests, those against real authorization servers too
test:
    bash .ci/run test

# Eight processes that share one login
siblings:
    bash .ci/run siblings

# The examples in the documentation
doctest:
    bash .ci/run doctest

# The documentation, without a warning
doc:
    bash .ci/run doc

# Every feature, and every pair
features:
    bash .ci/run features

# The oldest Rust that is promised
msrv:
    bash .ci/run msrv

# The oldest versions of the dependencies that Cargo.toml allows
minimal:
    bash .ci/run minimal

# Run each example
examples:
    bash .ci/run examples

# Models of the cell's concurrency
loom:
    bash .ci/run loom

# The cell under Miri
miri:
    bash .ci/run miri

# Each parser, with what a fuzzer makes of it
fuzz:
    bash .ci/run fuzz

# What would be published
package:
    bash .ci/run package

# Types of other crates in the public API
external:
    bash .ci/run external

# What has changed for users since the last release
semver:
    bash .ci/run semver

# What each feature brings into the build
dependencies:
    bash .ci/run dependencies

# Licences, duplicates, sources and advisories of what comes into the build
deny:
    bash .ci/run deny
