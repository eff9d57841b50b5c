// Package policyfile reads the policy of a server from files, and follows them while the
// server runs.
//
// A file is the message drawbridge.v1.Policy of drawbridge/v1/policy.proto, as YAML or
// JSON. With every field there is, it looks like this:
//
//	services:
//	  inventory.v1.InventoryService:
//	    rule:
//	      scopes: [inventory:read]
//	    methods:
//	      AdjustStock:
//	        scopes: [inventory:write]
//	        any_scopes: [role:clerk, role:manager]
//	        condition: request.delta < 100 || "inventory:bulk" in token.scopes
//	      ExportItems:
//	        any_scope_sets:
//	        - scopes: [inventory:read, inventory:export]
//	        - scopes: [admin]
//	        claims:
//	        - path: [realm_access, roles]
//	          any_of: [auditor]
//	      CloseYear:
//	        party: PARTY_USER
//	        acr_values: [phrh, phr]
//	        max_age: 5m
//	        actors:
//	        - issuer: https://login.example.com
//	          subject: assistant
//	          client_id: assistant-web
//	        proof: PROOF_REQUIRED
//	      GetAccount:
//	        no_actor: true
//	        question:
//	          subject: {type: user, id: token.sub}
//	          action: read
//	          resource:
//	            type: account
//	            id: request.account_id
//	            properties: {tier: "'gold'"}
//	          context: {method: rpc.method}
//	          cache_for: 10s
//	      ListOwnItems:
//	        authenticated: true
//	      DeleteEverything:
//	        denied: true
//	  grpc.health.v1.Health:
//	    no_descriptor: true
//	    rule:
//	      public: true
//	      reason: load balancers have no token
//	implies:
//	- scope: inventory:write
//	  implies: [inventory:read]
//	resources:
//	  https://api.example.com/mcp:
//	    services: [inventory.v1.InventoryService]
//
// [Parse] reads a text, [Load] a file or a directory, and [Watch] applies what changes.
// Each rule knows its line, [policy.Rule].Source. A file can replace rules that stand in
// Go or in protobuf options:
//
//	fromFile, err := policyfile.Load("policy.yaml")
//	cfg.Policy = policy.FromOptions().Override(fromFile)
//
// # What is refused
//
// A file is read strictly, because what is wrong with it would let somebody in or keep
// everybody out. All faults are returned at once, with line and column; of what is not
// YAML, there is one, with its line. Faults are:
//
//   - a file that is empty, is missing or says nothing: it is half written, more often
//     than it is meant to deny every call
//   - a field that does not exist, with the nearest one that does, and a key that is
//     written twice
//   - a value of another type: a number or a boolean in place of a string has to be put in
//     quotes, a list of one element is [a], and no value, {}, [] and "" say nothing
//   - an alias (*a), a merge key (<<), a tag of one's own, and a second document
//   - a service or a resource that stands in two files of a directory
//   - what a reader does not see: control characters, and those that reorder text
//   - more than 4 MiB in a file, and more than 1,000 files or 16 MiB in a directory
//
// Durations are written as 300s, 5m or 1h30m, and enums by their names. Fields have their
// names of the protobuf file or of JSON: any_scopes, anyScopes.
//
// # Reloading
//
// A [Watcher] reads the policy again when the system reports a change in one of the
// directories on the way to the file, and every ten seconds besides:
//
//	watcher, err := policyfile.NewWatcher(policyfile.WatcherConfig{
//		Path: "/etc/drawbridge/policy.yaml",
//		Apply: func(p policy.Policy) (err error) {
//			cfg.Policy = policy.FromOptions().Override(p)
//			return authorizer.Reconfigure(cfg)
//		},
//	})
//	if err != nil {
//		return err // The server does not start without its policy.
//	}
//	go watcher.Run(ctx)
//
// The first policy may be applied to new(drawbridge.Authorizer). To read the policy on
// SIGHUP, which has no effect on what runs:
//
//	hangup := make(chan os.Signal, 1)
//	signal.Notify(hangup, syscall.SIGHUP)
//	for range hangup {
//		_ = watcher.Reload() // The log has the faults.
//	}
//
// A policy is applied as a whole or not at all. What cannot be applied leaves the last good
// policy in force, is in the log once with every fault and its place, and counts in
// [Watcher.Status], from which metrics and a readiness probe can be made. It is tried again
// when the file changes.
//
// In Kubernetes, mount a ConfigMap as a directory, and name the directory or a file in it.
// It changes within a minute or so after the ConfigMap. A file that is mounted by subPath
// never changes. In other places, write a new file beside the old one and rename it: a
// file that is written in place can be read when half of it is there, and half a policy may
// be a policy.
package policyfile
