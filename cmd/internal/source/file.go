package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// loadFile loads a policy file or a directory of them. What is wrong inside of it is a
// *fault.Fault each.
func loadFile(path string) (policy.Policy, error) {
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return policy.Policy{}, fmt.Errorf("--file %s: there is no such file or directory", path)
	case err != nil:
		return policy.Policy{}, fmt.Errorf("--file %s: %w", path, err)
	}
	return policyfile.Load(path)
}
