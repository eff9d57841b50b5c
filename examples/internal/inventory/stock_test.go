package inventory_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/fault"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
)

func newStock() *inventory.Stock {
	return inventory.NewStock(
		inventory.Item{SKU: "NUT-M8", Name: "Nut M8", Quantity: 10},
		inventory.Item{SKU: "BOLT-M8", Name: "Bolt M8", Quantity: 5},
	)
}

func skus(items []inventory.Item) []string {
	var out []string
	for _, item := range items {
		out = append(out, item.SKU)
	}
	return out
}

func wantCode(t *testing.T, err error, want connect.Code) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	stock := newStock()
	for filter, want := range map[string][]string{
		"":     {"BOLT-M8", "NUT-M8"},
		"m8":   {"BOLT-M8", "NUT-M8"},
		"nUt":  {"NUT-M8"},
		"gear": nil,
	} {
		if got := skus(stock.List(filter)); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", filter, got, want)
		}
	}
}

func TestAdjust(t *testing.T) {
	t.Parallel()
	stock := newStock()
	item, err := stock.Adjust("BOLT-M8", -5)
	if err != nil || item.Quantity != 0 {
		t.Fatalf("got %+v, %v", item, err)
	}
	tests := []struct {
		sku   string
		delta int64
		want  connect.Code
	}{
		{"", 1, connect.CodeInvalidArgument},
		{"NUT-M8", 0, connect.CodeInvalidArgument},
		{"NUT-M8", math.MaxInt64, connect.CodeInvalidArgument},
		{"GEAR", 1, connect.CodeNotFound},
		{"NUT-M8", -11, connect.CodeFailedPrecondition},
		{"NUT-M8", math.MinInt64, connect.CodeFailedPrecondition},
	}
	for _, test := range tests {
		_, err := stock.Adjust(test.sku, test.delta)
		wantCode(t, err, test.want)
	}
	if got := stock.List("NUT")[0].Quantity; got != 10 {
		t.Errorf("refused changes left %d, want 10", got)
	}
}

func TestSetCount(t *testing.T) {
	t.Parallel()
	stock := newStock()
	item, difference, err := stock.SetCount("NUT-M8", 7)
	if err != nil || item.Quantity != 7 || difference != -3 {
		t.Errorf("got %+v, %d, %v", item, difference, err)
	}
	_, before, _ := stock.Since(0)
	if _, difference, err = stock.SetCount("NUT-M8", 7); err != nil || difference != 0 {
		t.Errorf("a right count: got %d, %v", difference, err)
	}
	if _, after, _ := stock.Since(0); after != before {
		t.Error("a right count is reported as a change")
	}
	_, _, err = stock.SetCount("NUT-M8", -1)
	wantCode(t, err, connect.CodeInvalidArgument)
	_, _, err = stock.SetCount("GEAR", 1)
	wantCode(t, err, connect.CodeNotFound)
}

func TestImportIsAllOrNothing(t *testing.T) {
	t.Parallel()
	good := inventory.Item{SKU: "GEAR", Name: "Gear", Quantity: 1}
	for name, bad := range map[string]inventory.Item{
		"no SKU":       {Name: "x"},
		"long SKU":     {SKU: strings.Repeat("A", 33), Name: "x"},
		"strange SKU":  {SKU: "bolt", Name: "x"},
		"no name":      {SKU: "A"},
		"long name":    {SKU: "A", Name: strings.Repeat("x", 101)},
		"negative one": {SKU: "A", Name: "x", Quantity: -1},
	} {
		stock := newStock()
		_, _, err := stock.Import([]inventory.Item{good, bad})
		wantCode(t, err, connect.CodeInvalidArgument)
		if !strings.HasPrefix(err.Error(), "item 2: ") {
			t.Errorf("%s: %q does not say which item", name, err)
		}
		if len(stock.List("")) != 2 {
			t.Errorf("%s: something was stored", name)
		}
	}
	created, updated, err := newStock().Import([]inventory.Item{good, {SKU: "NUT-M8", Name: "Nut"}, good})
	if err != nil || created != 1 || updated != 2 {
		t.Errorf("got %d, %d, %v, want 1 new and 2 replaced", created, updated, err)
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	stock := newStock()
	items, revision, changed := stock.Since(0)
	if got, want := skus(items), []string{"NUT-M8", "BOLT-M8"}; !slices.Equal(got, want) {
		t.Errorf("at first %q, want %q", got, want)
	}
	select {
	case <-changed:
		t.Fatal("nothing has changed yet")
	default:
	}
	if _, err := stock.Adjust("NUT-M8", 1); err != nil {
		t.Fatal(err)
	}
	<-changed
	if items, _, _ = stock.Since(revision); !slices.Equal(skus(items), []string{"NUT-M8"}) {
		t.Errorf("then %q, want the nut alone", skus(items))
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	stock := newStock()
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if _, err := stock.Adjust("NUT-M8", 1); err != nil {
				t.Error(err)
			}
			stock.List("")
			stock.Since(0)
		})
	}
	group.Wait()
	if got := stock.List("NUT")[0].Quantity; got != 60 {
		t.Errorf("got %d, want 60", got)
	}
}
