# Everything here needs only Go; integration also needs Java 17, Maven and Python 3, and interop needs
# Node 20 as well. Tools are pinned by version; Go, integration/*.sh, interop/run.sh, deploy/helm/check.sh and
# deploy/prometheus/check.sh cache them.

LINT  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZ  ?= 60s
GREMLINS := go run github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0

.PHONY: flood release chart jaeger jaeger-stop prometheus prometheus-stop alerts dashboards mutants structure seeds build test race lint fmt check fuzz bench integration interop demo kafka kafka-stop

## build: the binary, in this folder, with the flags of go run, so that nothing is compiled twice
build:
	go build -o bridge ./cmd/bridge

## test: all tests that need only Go
test:
	go test ./...

## race: the same with the race detector
race:
	go test -race -timeout 20m ./...

## fmt: check that all files are formatted with gofmt
fmt:
	@test -z "$$(gofmt -l .)" || { gofmt -l . ; echo 'these files are not formatted; run gofmt -w on them' ; exit 1 ; }

## lint: vet, also with the tagged tests, and the linters of .golangci.yml
lint:
	go vet ./...
	go vet -tags integration,bench ./...
	go run $(LINT) run ./...

## check: what must pass before a commit
check: fmt lint race
	go test -tags vault -run Vault ./internal/alipay/... ./internal/app ./cmd/bridge

## dashboards: write deploy/grafana from the table of metrics, and the chart's copies of dashboards and alerts
dashboards:
	go run ./scripts/dashboards
	cp deploy/grafana/*.json deploy/prometheus/alerts.yaml deploy/helm/bridge/files/

## structure: for each package its lines, names and the share of calls to another file
structure:
	go run ./scripts/structure

## fuzz: every fuzz target for FUZZ each (60s, or a count such as 10000x)
fuzz:
	@set -e ; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u) ; do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c6-) ; do \
	    echo "== $$dir $$target" ; go test $$dir -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ) -fuzzminimizetime 10x ; \
	  done ; done

## mutants: breaks one line after another and runs the package's tests; hours, so not in CI.
## make mutants PACKAGES=internal/records does one package, with FILES='settle.go|readback.go' only some of its files
PACKAGES ?= internal/records internal/produce internal/consume/window internal/consume/offsets internal/consume/fair internal/budget internal/reread internal/breaker internal/handle internal/order internal/alipay internal/alipay/gateway internal/consume
FILES ?=
mutants:
	for p in $(PACKAGES); do \
	  set -- ; for f in $(if $(FILES),$$(cd $$p && ls *.go | grep -vxE '$(FILES)')); do set -- "$$@" -E "(^|/)$$f$$" ; done ; \
	  $(GREMLINS) unleash --workers 1 --timeout-coefficient 20 "$$@" ./$$p || exit 1 ; \
	done

## bench: a call compared with its cryptography alone; the scanner with encoding/json; the checks of an
## event (K5 occurs twice: it is decoded twice); the cost of a trace; schemas of different versions; the bridge compared
## with a simple loop; trade status and the receiver compared with bare ones; and the cost of the simulator itself
bench:
	go test -run ^$$ -bench '^Benchmark(SealOpen|Scanner)$$' -benchtime 300x ./internal/alipay/...
	go test -run ^$$ -bench '^Benchmark(Decode|K[0-9].*)$$' -benchtime 300x ./internal/avro ./internal/order ./internal/handle
	go test -run ^$$ -bench '^BenchmarkEvent$$' -benchtime 20000x ./internal/telemetry
	go test -tags bench -run ^$$ -bench '^Benchmark(Bridge|Simulator|Status|Restore)$$' -benchtime 1x ./cmd/bridge
	go test -run ^$$ -bench '^BenchmarkReceiver$$' -benchtime 1x ./internal/notify
	go test -tags bench -run ^$$ -bench '^BenchmarkFairness$$' -benchtime 1x ./internal/consume

## flood: a minute of forged notifications at a receiver that has no private key, with genuine ones in between
flood:
	BRIDGE_FLOOD=60s go test -count=1 -run '^TestN2_FloodOfForged$$' -v ./cmd/bridge

## integration: the main job with a real Kafka and a real registry, its traces in a real Jaeger, and drills for its
## alerts in a real Prometheus. These, and what the example consumers need, are fetched or built here, because a test
## has less time; where one cannot be built, its tests are skipped unless CI is set
integration:
	integration/jaeger.sh get || test -z "$$CI"
	integration/prometheus.sh get || test -z "$$CI"
	integration/consumers.sh get || test -z "$$CI"
	go test -tags integration -count=1 -parallel 3 -timeout 30m ./integration

## seeds: the main job in virtual time with a hundred seeds, and a thousand lives of orders with notifications, 40 for
## each of 25 seeds; BRIDGE_SEEDS=17-17 repeats one
seeds:
	BRIDGE_SEEDS=$${BRIDGE_SEEDS:-100} go test -count=1 -timeout 15m -run '^TestMainJob$$' ./internal/demo
	BRIDGE_SEEDS=$${BRIDGE_SEEDS:-25} go test -count=1 -timeout 15m -run '^TestLives$$' ./internal/app/lives

## interop: the official SDKs of Java, Node and Python call the simulator
interop:
	interop/run.sh

## alerts: check the alerts for Prometheus, and run their tests; builds promtool once (some minutes)
alerts:
	deploy/prometheus/check.sh

## chart: test the Helm chart, the settings of Compose, and the topics and ACLs of deploy/kafka; builds its
## tools once (some minutes)
chart:
	deploy/helm/check.sh

## release: dist/ has what a release has, each binary built twice and compared; VERSION=v1.2.3 names it, HOST=1
## builds for this machine only
release:
	go run -C scripts/release . -out "$(CURDIR)/dist" -version "$(VERSION)" $(if $(HOST),-host)

## demo: the bridge, Kafka and the simulator in one process
demo:
	go run ./cmd/bridge demo

## kafka: start Apache Kafka and a schema registry on 127.0.0.1 (integration/kafka.sh)
kafka:
	@integration/kafka.sh start

## kafka-stop: stop them and delete their data
kafka-stop:
	@integration/kafka.sh stop

## jaeger: build Jaeger once (some minutes), and start it on 127.0.0.1 (integration/jaeger.sh)
jaeger:
	@integration/jaeger.sh start

## jaeger-stop: stop it and delete its traces
jaeger-stop:
	@integration/jaeger.sh stop

## prometheus: build Prometheus and Alertmanager once (some minutes), and start them on 127.0.0.1 (integration/prometheus.sh)
prometheus:
	@integration/prometheus.sh start

## prometheus-stop: stop them and delete what was scraped
prometheus-stop:
	@integration/prometheus.sh stop
