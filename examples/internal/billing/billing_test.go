package billing_test

import (
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/billing"
	billingv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1"
)

func TestGetInvoice(t *testing.T) {
	t.Parallel()
	tests := []struct {
		id   string
		want codes.Code
	}{
		{"INV-1001", codes.OK},
		{"INV-9", codes.NotFound},
		{"", codes.InvalidArgument},
	}
	service := billing.NewService()
	for _, test := range tests {
		resp, err := service.GetInvoice(t.Context(), &billingv1.GetInvoiceRequest{Id: test.id})
		if got := status.Code(err); got != test.want {
			t.Errorf("%q: grpc-go sees %s, want %s", test.id, got, test.want)
		}
		if err != nil && uint32(connect.CodeOf(err)) != uint32(test.want) {
			t.Errorf("%q: connect-go sees %s, want %s", test.id, connect.CodeOf(err), test.want)
		}
		if err == nil && resp.GetInvoice().GetId() != test.id {
			t.Errorf("%q: got %v", test.id, resp)
		}
	}
}
