//go:build !vault

package keys

import "context"

// openVault is not in this binary.
func openVault(_ context.Context, _, _ string) (Signer, error) { return nil, errNoVault }
