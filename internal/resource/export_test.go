package resource

// ParseForwarded returns pairs of host and proto.
func ParseForwarded(values []string) [][2]string {
	var pairs [][2]string
	for _, f := range parseForwarded(values) {
		pairs = append(pairs, [2]string{f.host, f.proto})
	}
	return pairs
}
