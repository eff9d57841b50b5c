package policy

import "strings"

// The lengths bound what is parsed, logged and echoed of a procedure that a
// caller made up.
const (
	maxProcedureLength = 512
	maxServiceLength   = 255
)

// ParseProcedure splits "/pkg.Service/Method" into the name of the service and
// the name of the method. It is strict: a leading slash, two parts, and
// protobuf identifiers only. What a lenient reading could take for another
// procedure than the router does is a way round the policy (CVE-2026-33186).
func ParseProcedure(procedure string) (service, method string, ok bool) {
	if len(procedure) > maxProcedureLength || procedure == "" || procedure[0] != '/' {
		return "", "", false
	}
	slash := 0
	begins := true // whether an identifier begins here
	for i := 1; i < len(procedure); i++ {
		switch c := procedure[i]; {
		case isLetter(c), isDigit(c) && !begins:
			begins = false
		case c == '.' && slash == 0 && !begins:
			begins = true
		case c == '/' && slash == 0 && !begins:
			slash, begins = i, true
		default:
			return "", "", false
		}
	}
	if slash == 0 || begins {
		return "", "", false
	}
	return procedure[1:slash], procedure[slash+1:], true
}

// ValidService reports whether name is a fully qualified protobuf name:
// identifiers with dots between them. Such a name is safe in a header and in a
// log line.
func ValidService(name string) bool {
	if len(name) > maxServiceLength {
		return false
	}
	for {
		identifier, rest, more := strings.Cut(name, ".")
		if !isIdentifier(identifier) {
			return false
		}
		if !more {
			return true
		}
		name = rest
	}
}

// isIdentifier follows the lexical rule of protobuf: a letter or underscore,
// then letters, digits and underscores.
func isIdentifier(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) && (!isDigit(s[i]) || i == 0) {
			return false
		}
	}
	return s != ""
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
