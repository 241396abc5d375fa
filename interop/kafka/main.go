// Command kafka is Kafka and a schema registry in one process, in which the receiver of interop/run.sh makes
// notifications durable. It prints their addresses, as assignments for a shell, and ends with its standard input.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"alipay-kafka-bridge/internal/localkafka"
)

func main() {
	c, err := localkafka.Start(localkafka.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
	defer c.Close()
	fmt.Printf("export BROKERS='%s' REGISTRY='%s'\n", strings.Join(c.Addrs(), ","), c.RegistryURL())
	_, _ = io.Copy(io.Discard, os.Stdin)
}
