// Package bench compares drawbridge with libraries that do a part of its work,
// on the same work and in one run: make bench-peers. The command echo compares
// servers over loopback, the command soak compares decisions under load with an
// oracle, and tests run the instrumentations of OpenTelemetry beside drawbridge.
//
// The peers look a verified token up in a sync.Map. They know no resource, no
// audience and no policy; only the MCP go-sdk compares scopes. Where a peer does
// less, its figure stands beside ours all the same.
package bench
