// Package billing implements billing.v1.BillingService over a few invoices.
package billing

import (
	"context"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/fault"
	billingv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1/billingv1connect"
)

// A Service is the implementation of billing.v1.BillingService, for connect-go
// and grpc-go, whose unary RPCs have the same signature.
type Service struct {
	billingv1.UnsafeBillingServiceServer

	invoices map[string]*billingv1.Invoice // never changes
}

var (
	_ billingv1connect.BillingServiceHandler = (*Service)(nil)
	_ billingv1.BillingServiceServer         = (*Service)(nil)
)

// NewService returns a service with two invoices, INV-1001 and INV-1002.
func NewService() *Service {
	return &Service{invoices: map[string]*billingv1.Invoice{
		"INV-1001": {Id: "INV-1001", Customer: "Harbour Works", AmountMinor: 125_000, Currency: "EUR"},
		"INV-1002": {Id: "INV-1002", Customer: "Mill & Sons", AmountMinor: 48_090, Currency: "EUR"},
	}}
}

// GetInvoice returns one invoice.
func (s *Service) GetInvoice(_ context.Context, req *billingv1.GetInvoiceRequest) (*billingv1.GetInvoiceResponse, error) {
	if req.GetId() == "" {
		return nil, fault.InvalidArgument("id is empty")
	}
	invoice, ok := s.invoices[req.GetId()]
	if !ok {
		return nil, fault.NotFound("no invoice %.32q", req.GetId())
	}
	return &billingv1.GetInvoiceResponse{Invoice: invoice}, nil
}
