package incident

import (
	"context"
	"fmt"
	"sync"

	"alipay-kafka-bridge/internal/admin"
)

// waiting is how many events that wait an archive has of each instance.
const waiting = 1000

// Collect asks instances for everything that helps to find a cause.
func Collect(ctx context.Context, c admin.Client, addresses []string) []Instance {
	var out []Instance
	for _, a := range c.Ask(ctx, addresses, waiting) {
		out = append(out, Instance{Answer: a})
	}
	var asking sync.WaitGroup
	for k := range out {
		i := &out[k]
		if i.Err != nil {
			continue
		}
		asking.Go(func() {
			for _, what := range []struct {
				path string
				to   *[]byte
			}{{"/goroutines", &i.Goroutines}, {"/metrics", &i.Metrics}} {
				text, err := c.Get(ctx, &i.Answer, what.path)
				if err != nil {
					i.Missing = append(i.Missing, fmt.Sprintf("%s: %v", what.path, err))
				}
				*what.to = text
			}
		})
	}
	asking.Wait()
	return out
}
