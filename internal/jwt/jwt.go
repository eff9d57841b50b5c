// Package jwt reads the parts of JSON Web Tokens that the verifiers of tokens and
// of proofs share: the compact serialization, JSON objects within bounds, and
// dates. It checks no signature, and believes nothing.
package jwt
