package policyfile_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

func ExampleParse() {
	p, err := policyfile.Parse("policy.yaml", []byte(`
services:
  shop.v1.ShopService:
    rule:
      scopes: [shop:read]
    methods:
      Refund:
        scopes: [shop:write]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	refund := p.Services["shop.v1.ShopService"].Methods["Refund"]
	fmt.Println(refund, "at", refund.Source)
	// Output:
	// shop:write at policy.yaml:7
}

// All faults at once, with their places.
func ExampleParse_faults() {
	_, err := policyfile.Parse("policy.yaml", []byte(`
services:
  shop.v1.ShopService:
    scopes: [shop:read]
    methods:
      Refund:
        scope: [shop:write]
        max_age: 300
`))
	for f := range fault.All(err) {
		fmt.Println(f)
	}
	// Output:
	// policy.yaml:4:5: policyfile: services["shop.v1.ShopService"]: "scopes" is not a field of Service; write it below rule
	// policy.yaml:7:9: policyfile: services["shop.v1.ShopService"].methods["Refund"]: "scope" is not a field of Rule; write scopes
	// policy.yaml:8:18: policyfile: services["shop.v1.ShopService"].methods["Refund"].max_age: "300" has no unit; write 300s for seconds
}

// A server whose policy changes while it runs.
func ExampleWatcher() {
	directory, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(directory)
	path := filepath.Join(directory, "policy.yaml")
	edit := func(rule string) {
		text := "services: {shop.v1.ShopService: {no_descriptor: true, rule: {" + rule + "}}}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			fmt.Println(err)
		}
	}

	edit("public: true")
	authorizer := new(drawbridge.Authorizer)
	watcher, err := policyfile.NewWatcher(policyfile.WatcherConfig{
		Path: path,
		Apply: func(p policy.Policy) error {
			cfg := serverConfig()
			cfg.Policy = p
			return authorizer.Reconfigure(cfg)
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go watcher.Run(ctx)

	ask := func() {
		_, err := authorizer.Authorize(ctx, drawbridge.Request{Procedure: "/shop.v1.ShopService/ListItems"})
		if err != nil {
			fmt.Println("denied:", challenge.DenialOf(err).Reason)
			return
		}
		fmt.Println("allowed")
	}
	ask()
	edit("scopes: [shop:read]")
	_ = watcher.Reload() // Run would notice it a moment later.
	ask()
	edit("scopes: shop:read")
	_ = watcher.Reload()
	ask()
	fmt.Println(watcher.Status().Failures > 0)
	// Output:
	// allowed
	// denied: no_credentials
	// denied: no_credentials
	// true
}
