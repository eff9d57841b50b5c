// Package rpc implements the syntax that Connect, gRPC and gRPC-Web share: the
// names of procedures, and the content types of messages.
package rpc

import "strings"

// These lengths bound how much of a procedure that a caller made up is parsed,
// logged and echoed.
const (
	maxProcedureLength = 512
	maxServiceLength   = 255
)

// ParseProcedure splits "/pkg.Service/Method" into the name of the service and
// the name of the method. It is strict: it accepts a leading slash, two parts,
// and protobuf identifiers only. A lenient parser could read another procedure
// out of a path than the router does, and so bypass the policy (CVE-2026-33186).
func ParseProcedure(procedure string) (service, method string, ok bool) {
	service, method, ok = CutProcedure(procedure)
	if !ok || !ValidService(service) {
		return "", "", false
	}
	return service, method, true
}

// CutProcedure is [ParseProcedure] without the check of the service. It is for
// callers that look the service up among valid names, and is faster: one pass
// from the end both validates the method and finds the slash before it.
func CutProcedure(procedure string) (service, method string, ok bool) {
	if len(procedure) > maxProcedureLength || procedure == "" || procedure[0] != '/' {
		return "", "", false
	}
	slash := len(procedure) - 1
	for inIdentifier[procedure[slash]] {
		slash-- // It stops at the leading slash at the latest.
	}
	method = procedure[slash+1:]
	if slash == 0 || procedure[slash] != '/' || method == "" || isDigit(method[0]) {
		return "", "", false
	}
	return procedure[1:slash], method, true
}

// inIdentifier holds the characters of protobuf identifiers.
var inIdentifier = func() (set [256]bool) {
	for c := range set {
		set[c] = isLetter(byte(c)) || isDigit(byte(c))
	}
	return set
}()

// ValidService reports whether name is a fully qualified protobuf name:
// identifiers separated by dots, at most 255 bytes. Such a name is safe in a
// header and in a log record.
func ValidService(name string) bool {
	if len(name) > maxServiceLength {
		return false
	}
	for {
		identifier, rest, more := strings.Cut(name, ".")
		if !ValidMethod(identifier) {
			return false
		}
		if !more {
			return true
		}
		name = rest
	}
}

// ValidMethod reports whether name is a protobuf identifier: a letter or
// underscore, then letters, digits and underscores.
func ValidMethod(name string) bool {
	for i := range len(name) {
		if !isLetter(name[i]) && (!isDigit(name[i]) || i == 0) {
			return false
		}
	}
	return name != ""
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
