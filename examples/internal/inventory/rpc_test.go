package inventory_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1/inventoryv1connect"
)

// caller calls the service over one framework. The tests of both are the same.
type caller interface {
	list(ctx context.Context, filter string) (*inventoryv1.ListItemsResponse, error)
	adjust(ctx context.Context, sku string, delta int64) (*inventoryv1.AdjustStockResponse, error)
	watch(ctx context.Context, req *inventoryv1.WatchStockRequest) (receive func() (*inventoryv1.WatchStockResponse, error), err error)
	importItems(ctx context.Context, items ...*inventoryv1.Item) (*inventoryv1.ImportItemsResponse, error)
	reconcile(ctx context.Context, counts ...*inventoryv1.ReconcileRequest) ([]*inventoryv1.ReconcileResponse, error)
	code(err error) uint32
}

func callers(t *testing.T) map[string]caller {
	t.Helper()
	return map[string]caller{
		"connect-go": newConnectCaller(t, inventory.NewService(newStock())),
		"grpc-go":    newGRPCCaller(t, inventory.NewService(newStock())),
	}
}

func each(t *testing.T, test func(*testing.T, caller)) {
	t.Helper()
	t.Parallel()
	for name, c := range callers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

func TestUnary(t *testing.T) {
	each(t, func(t *testing.T, c caller) {
		listed, err := c.list(t.Context(), "bolt")
		if err != nil || len(listed.GetItems()) != 1 || listed.GetItems()[0].GetQuantity() != 5 {
			t.Errorf("list: got %v, %v", listed, err)
		}
		adjusted, err := c.adjust(t.Context(), "BOLT-M8", 2)
		if err != nil || adjusted.GetItem().GetQuantity() != 7 {
			t.Errorf("adjust: got %v, %v", adjusted, err)
		}
		if _, err = c.adjust(t.Context(), "GEAR", 2); c.code(err) != uint32(codes.NotFound) {
			t.Errorf("adjust what is not there: got %v", err)
		}
	})
}

func TestWatchStock(t *testing.T) {
	each(t, func(t *testing.T, c caller) {
		receive, err := c.watch(t.Context(), &inventoryv1.WatchStockRequest{Skus: []string{"NUT-M8"}, Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		first, err := receive()
		if err != nil || first.GetItem().GetQuantity() != 10 {
			t.Fatalf("first: got %v, %v", first, err)
		}
		for _, sku := range []string{"BOLT-M8", "NUT-M8"} {
			if _, err := c.adjust(t.Context(), sku, 1); err != nil {
				t.Fatal(err)
			}
		}
		second, err := receive()
		if err != nil || second.GetItem().GetSku() != "NUT-M8" || second.GetItem().GetQuantity() != 11 {
			t.Fatalf("second: got %v, %v", second, err)
		}
		if _, err := receive(); !errors.Is(err, io.EOF) {
			t.Errorf("after the limit: got %v, want the end", err)
		}
	})
}

func TestWatchStockEndsWithItsCaller(t *testing.T) {
	each(t, func(t *testing.T, c caller) {
		ctx, cancel := context.WithCancel(t.Context())
		receive, err := c.watch(ctx, &inventoryv1.WatchStockRequest{Skus: []string{"NUT-M8"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := receive(); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := receive(); c.code(err) != uint32(codes.Canceled) {
			t.Errorf("got %v, want canceled", err)
		}
	})
}

func TestWatchStockRefusesLongLists(t *testing.T) {
	each(t, func(t *testing.T, c caller) {
		receive, err := c.watch(t.Context(), &inventoryv1.WatchStockRequest{Skus: make([]string, 101)})
		if err == nil {
			_, err = receive()
		}
		if c.code(err) != uint32(codes.InvalidArgument) {
			t.Errorf("got %v, want invalid_argument", err)
		}
	})
}

func TestImportItems(t *testing.T) {
	each(t, func(t *testing.T, c caller) {
		resp, err := c.importItems(t.Context(),
			&inventoryv1.Item{Sku: "GEAR", Name: "Gear", Quantity: 3},
			&inventoryv1.Item{Sku: "NUT-M8", Name: "Nut M8", Quantity: 12})
		if err != nil || resp.GetCreated() != 1 || resp.GetUpdated() != 1 {
			t.Errorf("got %v, %v", resp, err)
		}
		if _, err = c.importItems(t.Context(), nil); c.code(err) != uint32(codes.InvalidArgument) {
			t.Errorf("an empty item: got %v, want invalid_argument", err)
		}
		many := make([]*inventoryv1.Item, 1001)
		for i := range many {
			many[i] = &inventoryv1.Item{Sku: "GEAR", Name: "Gear"}
		}
		if _, err = c.importItems(t.Context(), many...); c.code(err) != uint32(codes.ResourceExhausted) {
			t.Errorf("too many: got %v, want resource_exhausted", err)
		}
	})
}

func TestReconcile(t *testing.T) {
	each(t, func(t *testing.T, c caller) {
		answers, err := c.reconcile(t.Context(),
			&inventoryv1.ReconcileRequest{Sku: "NUT-M8", Counted: 8},
			&inventoryv1.ReconcileRequest{Sku: "BOLT-M8", Counted: 5})
		if err != nil || len(answers) != 2 || answers[0].GetDifference() != -2 || answers[1].GetDifference() != 0 {
			t.Errorf("got %v, %v", answers, err)
		}
		if _, err = c.reconcile(t.Context(), &inventoryv1.ReconcileRequest{Sku: "GEAR"}); c.code(err) != uint32(codes.NotFound) {
			t.Errorf("count what is not there: got %v, want not_found", err)
		}
	})
}

// connectCaller calls over connect-go and h2c.
type connectCaller struct {
	client inventoryv1connect.InventoryServiceClient
}

func newConnectCaller(t *testing.T, service *inventory.Service) caller {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	mux := http.NewServeMux()
	mux.Handle(inventoryv1connect.NewInventoryServiceHandler(inventory.ConnectHandler{Service: service}))
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = &protocols
	server.Start()
	t.Cleanup(server.Close)

	var h2c http.Protocols
	h2c.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &h2c}
	t.Cleanup(transport.CloseIdleConnections)
	return connectCaller{inventoryv1connect.NewInventoryServiceClient(&http.Client{Transport: transport}, server.URL)}
}

func (c connectCaller) code(err error) uint32 { return uint32(connect.CodeOf(err)) }

func (c connectCaller) list(ctx context.Context, filter string) (*inventoryv1.ListItemsResponse, error) {
	return c.client.ListItems(ctx, &inventoryv1.ListItemsRequest{Filter: filter})
}

func (c connectCaller) adjust(ctx context.Context, sku string, delta int64) (*inventoryv1.AdjustStockResponse, error) {
	return c.client.AdjustStock(ctx, &inventoryv1.AdjustStockRequest{Sku: sku, Delta: delta})
}

func (c connectCaller) watch(ctx context.Context, req *inventoryv1.WatchStockRequest) (func() (*inventoryv1.WatchStockResponse, error), error) {
	stream, err := c.client.WatchStock(ctx, req)
	if err != nil {
		return nil, err
	}
	return func() (*inventoryv1.WatchStockResponse, error) {
		if stream.Receive() {
			return stream.Msg(), nil
		}
		if err := stream.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}, nil
}

func (c connectCaller) importItems(ctx context.Context, items ...*inventoryv1.Item) (*inventoryv1.ImportItemsResponse, error) {
	stream, err := c.client.ImportItems(ctx)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if err := stream.Send(&inventoryv1.ImportItemsRequest{Item: item}); err != nil {
			break // the server says why when the stream is closed
		}
	}
	return stream.CloseAndReceive()
}

func (c connectCaller) reconcile(ctx context.Context, counts ...*inventoryv1.ReconcileRequest) ([]*inventoryv1.ReconcileResponse, error) {
	stream, err := c.client.Reconcile(ctx)
	if err != nil {
		return nil, err
	}
	return reconcile(stream.Send, stream.Receive, stream.CloseRequest, counts)
}

// grpcCaller calls over grpc-go.
type grpcCaller struct {
	client inventoryv1.InventoryServiceClient
}

func newGRPCCaller(t *testing.T, service *inventory.Service) caller {
	t.Helper()
	server := grpc.NewServer()
	inventoryv1.RegisterInventoryServiceServer(server, inventory.GRPCServer{Service: service})
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return grpcCaller{inventoryv1.NewInventoryServiceClient(conn)}
}

func (c grpcCaller) code(err error) uint32 { return uint32(status.Code(err)) }

func (c grpcCaller) list(ctx context.Context, filter string) (*inventoryv1.ListItemsResponse, error) {
	return c.client.ListItems(ctx, &inventoryv1.ListItemsRequest{Filter: filter})
}

func (c grpcCaller) adjust(ctx context.Context, sku string, delta int64) (*inventoryv1.AdjustStockResponse, error) {
	return c.client.AdjustStock(ctx, &inventoryv1.AdjustStockRequest{Sku: sku, Delta: delta})
}

func (c grpcCaller) watch(ctx context.Context, req *inventoryv1.WatchStockRequest) (func() (*inventoryv1.WatchStockResponse, error), error) {
	stream, err := c.client.WatchStock(ctx, req)
	if err != nil {
		return nil, err
	}
	return stream.Recv, nil
}

func (c grpcCaller) importItems(ctx context.Context, items ...*inventoryv1.Item) (*inventoryv1.ImportItemsResponse, error) {
	stream, err := c.client.ImportItems(ctx)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if err := stream.Send(&inventoryv1.ImportItemsRequest{Item: item}); err != nil {
			break // the server says why when the stream is closed
		}
	}
	return stream.CloseAndRecv()
}

func (c grpcCaller) reconcile(ctx context.Context, counts ...*inventoryv1.ReconcileRequest) ([]*inventoryv1.ReconcileResponse, error) {
	stream, err := c.client.Reconcile(ctx)
	if err != nil {
		return nil, err
	}
	return reconcile(stream.Send, stream.Recv, stream.CloseSend, counts)
}

// reconcile sends one count after the other, each after the response to the one
// before.
func reconcile(
	send func(*inventoryv1.ReconcileRequest) error,
	receive func() (*inventoryv1.ReconcileResponse, error),
	closeSend func() error,
	counts []*inventoryv1.ReconcileRequest,
) (answers []*inventoryv1.ReconcileResponse, err error) {
	for _, count := range counts {
		if err := send(count); err != nil {
			return answers, err
		}
		answer, err := receive()
		if err != nil {
			return answers, err
		}
		answers = append(answers, answer)
	}
	if err := closeSend(); err != nil {
		return answers, err
	}
	if _, err := receive(); !errors.Is(err, io.EOF) {
		return answers, errors.New("the stream goes on after the last answer")
	}
	return answers, nil
}
