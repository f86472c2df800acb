# `make train` trains on generated sample faces until it knows 90 % of the validation faces;
# `make test` runs every test. Both install what a fresh Debian or Ubuntu machine with Rust lacks.

export XDG_RUNTIME_DIR ?= /tmp

.PHONY: train test adapter

train: adapter
	cargo run --release -- train --batch 32 --lr 1.5e-4 --epochs 1

test: adapter
	cargo test --no-fail-fast

# A machine without any Vulkan driver gets Mesa's software one.
adapter:
	@sh .ci/adapter
