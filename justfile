# The steps of `.ci/run`, which contains the commands. `just` without arguments lists them.

[private]
default:
    @just --list

# Run all steps, as CI does
ci:
    bash .ci/run

# Install the tools for the steps (Debian)
setup:
    bash .ci/run setup

# Check the formatting
fmt:
    bash .ci/run fmt

# Run clippy, with all features and with none
clippy:
    bash .ci/run clippy

# Run all tests, including those with real authorization servers
test:
    bash .ci/run test

# Test eight processes that share one login
processes:
    bash .ci/run processes

# Test stores and parsers with other features of serde_json
precision:
    bash .ci/run precision

# Run the examples in the documentation
doctest:
    bash .ci/run doctest

# Build the documentation without warnings
doc:
    bash .ci/run doc

# Check every feature and every pair of features
features:
    bash .ci/run features

# Check with the minimum supported Rust version
msrv:
    bash .ci/run msrv

# Check with the minimum versions of the dependencies
minimal:
    bash .ci/run minimal

# Run each example
examples:
    bash .ci/run examples

# Run the MCP conformance suite
conformance:
    bash .ci/run conformance

# Test the clients of other projects
clients:
    bash .ci/run clients

# Check the loom models of the cell
loom:
    bash .ci/run loom

# Run the tests of the cell under Miri
miri:
    bash .ci/run miri

# Fuzz each parser
fuzz:
    bash .ci/run fuzz

# Check the package that would be published
package:
    bash .ci/run package

# Check the types of other crates in the public API
external:
    bash .ci/run external

# Check the public API for breaking changes since the last release
semver:
    bash .ci/run semver

# Check the list of dependencies of each feature
dependencies:
    bash .ci/run dependencies

# Check licenses, duplicates, sources and advisories of the dependencies
deny:
    bash .ci/run deny
