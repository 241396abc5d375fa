//go:build !vault

package alipay

import (
	"context"
	"fmt"
)

// openVault is not in this binary.
func openVault(context.Context, string, KeyOptions) (Signer, error) {
	return nil, fmt.Errorf("this binary was built without the tag vault: %w", ErrKeyURI)
}
