# Everything here runs on a fresh machine with Go; integration also wants Java 17, Maven and
# Python 3. Tools are pinned by version and cached by Go and by integration/kafka.sh.

LINT  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZ  ?= 60s

.PHONY: structure seeds build test race lint fmt check fuzz bench integration interop demo kafka kafka-stop

## build: the binary, in this folder
build:
	CGO_ENABLED=0 go build -trimpath -o bridge ./cmd/bridge

## test: all tests that need nothing but Go
test:
	go test ./...

## race: the same under the race detector
race:
	go test -race ./...

## fmt: gofmt finds nothing to do
fmt:
	@test -z "$$(gofmt -l .)" || { gofmt -l . ; echo 'run gofmt -w on these' ; exit 1 ; }

## lint: vet and the linters of .golangci.yml, also over the tagged tests
lint:
	go vet ./...
	go vet -tags integration,bench ./...
	go run $(LINT) run ./...

## check: what must be green before a commit
check: fmt lint race
	go test -tags vault -run Vault ./internal/alipay/... ./internal/app ./cmd/bridge

## structure: lines, names and the share of calls that leave their file, by package
structure:
	go run ./scripts/structure

## fuzz: every fuzz target for FUZZ each (60s, or a count such as 10000x)
fuzz:
	@set -e ; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u) ; do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c6-) ; do \
	    echo "== $$dir $$target" ; go test $$dir -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ) -fuzzminimizetime 10x ; \
	  done ; done

## bench: a call against its bare cryptography, the scanner against encoding/json, the checks of
## an event (K5 counts twice: it is decoded twice), schemas a version apart; the bridge against a
## naive loop, and what the simulator costs beside it
bench:
	go test -run ^$$ -bench '^Benchmark(SealOpen|Scanner)$$' -benchtime 300x ./internal/alipay/...
	go test -run ^$$ -bench '^Benchmark(Decode|K[0-9].*)$$' -benchtime 300x ./internal/avro ./internal/order ./internal/handle
	go test -tags bench -run ^$$ -bench '^Benchmark(Bridge|Simulator)$$' -benchtime 1x ./cmd/bridge

## integration: the main job on a real Kafka and a real registry
integration:
	go test -tags integration -count=1 -timeout 15m ./integration

## seeds: the main job in virtual time with a hundred seeds; BRIDGE_SEEDS=17-17 repeats one
seeds:
	BRIDGE_SEEDS=$${BRIDGE_SEEDS:-100} go test -count=1 -timeout 15m -run '^TestMainJob$$' ./internal/demo

## interop: the official SDKs of Java, Node and Python call the simulator
interop:
	interop/run.sh

## demo: the whole story in one process
demo:
	go run ./cmd/bridge demo

## kafka: start Apache Kafka and a schema registry on 127.0.0.1 (integration/kafka.sh)
kafka:
	@integration/kafka.sh start

## kafka-stop: end them and delete their data
kafka-stop:
	@integration/kafka.sh stop
