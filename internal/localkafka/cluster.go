// Package localkafka is a Kafka cluster and a schema registry inside the process, for the demo and for
// tests. All data is lost when the process ends.
package localkafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"alipay-kafka-bridge/internal/avro"
)

// Ports on a virtual network, where all ports are free: the usual ones of Kafka and of the registry.
const (
	firstBrokerPort = 9092
	registryPort    = 8081
)

// Topic is a topic to create, with the schema of its values to register.
type Topic struct {
	Name       string
	Partitions int32             // 0: 8
	Configs    map[string]string // e.g. cleanup.policy
	Schema     string            // Avro text; empty: none
}

// Options configure [Start]. The zero Options give one broker on a free port of 127.0.0.1,
// with no topics.
type Options struct {
	Topics  []Topic
	Brokers int // 0: 1
	// Network replaces TCP by memory, so that the cluster also works inside a testing/synctest
	// bubble. Clients then need [Cluster.DialContext].
	Network *kfake.VirtualNetwork
	// Kafka are more options of the brokers, such as kfake.MaxVersions.
	Kafka []kfake.Opt
}

// Cluster is a running Kafka with its registry.
type Cluster struct {
	kafka    *kfake.Cluster
	registry *srfake.Registry
	network  *kfake.VirtualNetwork
	server   *http.Server
	url      string
	serving  sync.WaitGroup
}

// Start starts the brokers and the registry, creates the topics and registers their schemas.
func Start(o Options) (*Cluster, error) {
	kafka, err := kfake.NewCluster(o.kafkaOptions()...)
	if err != nil {
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	c := &Cluster{kafka: kafka, network: o.Network}
	if err := c.serveRegistry(); err != nil {
		kafka.Close()
		return nil, fmt.Errorf("start schema registry: %w", err)
	}
	for _, t := range o.Topics {
		if err := c.CreateTopic(t); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

func (o Options) kafkaOptions() []kfake.Opt {
	brokers := max(o.Brokers, 1)
	opts := []kfake.Opt{kfake.NumBrokers(brokers)}
	if o.Network != nil {
		ports := make([]int, brokers)
		for i := range ports {
			ports[i] = firstBrokerPort + i
		}
		opts = append(opts, kfake.ListenFn(o.Network.Listen), kfake.Ports(ports...))
	}
	return append(opts, o.Kafka...)
}

func (c *Cluster) serveRegistry() error {
	listen, address := net.Listen, "127.0.0.1:0"
	if c.network != nil {
		listen, address = c.network.Listen, "localhost:"+strconv.Itoa(registryPort)
	}
	listener, err := listen("tcp", address)
	if err != nil {
		return err
	}
	c.url = "http://" + listener.Addr().String()
	c.registry = newRegistry()
	c.server = &http.Server{Handler: c.registry.Handler(), ReadHeaderTimeout: 5 * time.Second}
	c.serving.Go(func() {
		if err := c.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			// The next request to the registry fails, and the caller reports it.
			_ = listener.Close()
		}
	})
	return nil
}

// CreateTopic creates a topic and registers its schema.
func (c *Cluster) CreateTopic(t Topic) error {
	if t.Partitions == 0 {
		t.Partitions = 8
	}
	if err := c.kafka.CreateTopic(t.Name, t.Partitions, t.Configs); err != nil {
		return fmt.Errorf("create topic %s: %w", t.Name, err)
	}
	if t.Schema == "" {
		return nil
	}
	return c.register(t)
}

func (c *Cluster) register(t Topic) error {
	schema, err := avro.NewCodec(t.Schema)
	if err != nil {
		return fmt.Errorf("schema of topic %s: %w", t.Name, err)
	}
	registry, err := avro.NewRegistry(c.RegistryOptions())
	if err != nil {
		return err
	}
	defer registry.Close()
	_, err = registry.Register(context.Background(), t.Name, schema)
	return err
}

// Addrs returns the brokers' addresses.
func (c *Cluster) Addrs() []string { return c.kafka.ListenAddrs() }

// RegistryURL returns the registry's address.
func (c *Cluster) RegistryURL() string { return c.url }

// RegistryOptions returns what a client of the registry needs.
func (c *Cluster) RegistryOptions() avro.RegistryOptions {
	return avro.RegistryOptions{URL: c.url, DialContext: c.DialContext()}
}

// DialContext returns a function that connects to the cluster; nil means the usual network.
func (c *Cluster) DialContext() func(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.network == nil {
		return nil
	}
	return c.network.DialContext
}

// ClientOptions returns what a Kafka client needs.
func (c *Cluster) ClientOptions() []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(c.Addrs()...)}
	if c.network != nil {
		opts = append(opts, kgo.Dialer(c.network.DialContext))
	}
	return opts
}

// Kafka returns the fake brokers, for faults and for inspection.
func (c *Cluster) Kafka() *kfake.Cluster { return c.kafka }

// Registry returns the fake registry, for faults and for schemas that this registry would refuse.
func (c *Cluster) Registry() *srfake.Registry { return c.registry }

// Close stops everything and forgets all records.
func (c *Cluster) Close() {
	_ = c.server.Close()
	c.serving.Wait()
	c.kafka.Close()
}
