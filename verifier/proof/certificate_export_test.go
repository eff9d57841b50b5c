package proof

// ClientCertHash and XFCCHash are the parsers of the fields of proxies.
func ClientCertHash(value string) ([32]byte, error) { return parseClientCert(value) }

func XFCCHash(value string, appended bool) ([32]byte, error) { return parseXFCC(value, appended) }
