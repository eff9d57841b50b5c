package policyfile

import (
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// Load returns the policy in a file or in a directory, as [Parse] does. A file may have
// any name, and may be a pipe. Of a directory and its sub-directories, Load reads every
// file whose name ends in .yaml, .yml or .json, and puts their contents together. It
// skips names that begin with a dot, and follows symbolic links.
//
// A service stands in one file of a directory as a whole, and so does a resource:
// otherwise the fault names both places. Implications add up. To let a file replace rules
// of another, load both, and use [policy.Policy.Override].
//
// What is missing, cannot be read or is empty is a fault: without a policy, every call
// would be denied, and a policy that overrides another would lose its rules.
func Load(path string) (policy.Policy, error) {
	files, err := readFiles(path, anyFile)
	if err != nil {
		return policy.Policy{}, err
	}
	return parseAll(files)
}
