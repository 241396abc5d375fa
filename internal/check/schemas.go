package check

import (
	"context"
	"slices"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/kafka"
)

// schemas compares all versions in the registry with our schemas.
func (c *checker) schemas(ctx context.Context) {
	registry, err := app.OpenTopics(c.cfg, 0, app.Options{})
	if err != nil {
		return // reported already
	}
	defer registry.Close()
	if c.cfg.Registry.URL != "" {
		known := slices.DeleteFunc(c.used(), func(t kafka.Topic) bool { return t.Schema == "" })
		f, err := SchemaRegistry(ctx, registry, known)
		if err != nil {
			c.add(registryUnreachable, err.Error(), "start the registry "+c.cfg.Registry.URL+", or fix the settings under registry")
			return
		}
		for _, found := range f.Findings {
			c.add(schemaDiffers, found.String(), "run bridge schemas check for details")
		}
	}
	if !c.reads() {
		return
	}
	if err := app.SchemasReady(ctx, registry, c.cfg.Topics); err != nil {
		c.add(schemaMissing, err.Error(), "register the schemas of this version with bridge schemas register")
	}
}
