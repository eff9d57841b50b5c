// Package callerkey holds the context key of the facts of a caller's token. One
// package stores them and another reads them.
package callerkey

// Info is the key of a *token.Info.
type Info struct{}
