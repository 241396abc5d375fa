//go:build !vault

package alipay

import "context"

// openVault is not in this binary.
func openVault(_ context.Context, _, _ string) (Signer, error) { return nil, errNoVault }
