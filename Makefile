# Everything a developer does here, one word each. `make` alone prints this list.

# Where `make run` keeps its state; every user can write there.
DATA_DIR ?= $(or $(XDG_STATE_HOME),$(HOME)/.local/state)/taffrail
IMAGE ?= taffrail
CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help run test lint build bench docs fmt golden setup docker-image clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build and run it on this machine; the page is at http://127.0.0.1:9753
	@mkdir -p "$(DATA_DIR)"
	target/release/taffrail run --set "data_dir=$(DATA_DIR)"

test: ## set up the real programs and run all tests
	collector/tests/run.sh

lint: ## formatting and linters only
	collector/tests/run.sh lint

build: ## the release binary, target/release/taffrail
	$(CARGO) build --locked --release -p taffrail-collector

bench: setup ## measure it beside the programs it replaces; PART=scrape for one part
	$(CARGO) build --locked --release -p taffrail-collector
	. "$${TAFFRAIL_CACHE:-.cache}/env.sh" && $(CARGO) run --locked --release -p taffrail-bench -- $(PART)

docs: ## write the generated pages of docs/reference again
	TAFFRAIL_GOLDEN=rewrite $(CARGO) test --locked -p taffrail-tests --test contract docs

fmt: ## format the Rust code
	$(CARGO) fmt --all

golden: ## write all golden files again; read the difference before you commit it
	TAFFRAIL_GOLDEN=rewrite $(CARGO) test --locked --workspace

setup: ## set up the real programs that the tests need, in .cache
	collector/tests/setup.sh

docker-image: ## build the container image, tagged taffrail (or IMAGE=name)
	docker build -f compose/Dockerfile -t "$(IMAGE)" .

clean: ## remove all that was built or set up
	-collector/tests/dockerd.sh stop
	$(CARGO) clean
	rm -rf .cache
