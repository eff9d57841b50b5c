package interceptor

import (
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// ErrorDomain is the domain of the ErrorInfo of a denial: the protobuf package that
// defines the reasons, as a globally unique name (AIP-193).
const ErrorDomain = "drawbridge.v1"

// maxMetadata is the length of the longest value in the metadata of an ErrorInfo,
// in bytes. The Challenge holds the values that are longer.
const maxMetadata = 1 << 10

// errorInfo returns the details of a denial for clients that do not know a
// Challenge. They hold nothing that the Challenge does not hold.
func errorInfo(denial *challenge.DenialError) *errdetails.ErrorInfo {
	info := &errdetails.ErrorInfo{
		Reason:   strings.ToUpper(denial.Reason.String()),
		Domain:   ErrorDomain,
		Metadata: make(map[string]string),
	}
	for key, value := range map[string]string{
		"service":           denial.Challenge.Realm,
		"scopes":            strings.Join(denial.Challenge.Scopes, " "),
		"resource_metadata": denial.Challenge.ResourceMetadataURL,
	} {
		if value != "" && len(value) <= maxMetadata {
			info.Metadata[key] = value
		}
	}
	return info
}
