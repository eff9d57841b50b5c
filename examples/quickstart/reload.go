package main

import (
	_ "embed"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// defaultPolicy is the policy file, unless -policy names another one.
//
//go:embed policy.yaml
var defaultPolicy []byte

// policyPath returns the path of the policy file: the one that was named, or a copy of
// the default one, which may be edited. The function removes what was created.
func policyPath(named string) (path string, remove func() error, err error) {
	if named != "" {
		return named, func() error { return nil }, nil
	}
	directory, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(directory, "policy.yaml")
	if err := os.WriteFile(path, defaultPolicy, 0o600); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(directory))
	}
	return path, func() error { return os.RemoveAll(directory) }, nil
}

// newReloading returns an Authorizer whose policy follows a file, and what reads that.
func newReloading(cfg drawbridge.Config, path string, logger *slog.Logger) (*drawbridge.Authorizer, *policyfile.Watcher, error) {
	authorizer, err := drawbridge.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	watcher, err := policyfile.NewWatcher(policyfile.WatcherConfig{
		Path: path,
		Apply: func(file policy.Policy) error {
			changed := cfg
			changed.Policy = cfg.Policy.Override(file)
			return authorizer.Reconfigure(changed)
		},
		Logger: logger,
	})
	return authorizer, watcher, err
}
