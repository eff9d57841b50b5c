package inventory

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/fault"
)

const (
	maxSKULength  = 32
	maxNameLength = 100
	maxItems      = 10_000
)

// An Item is one kind of thing in the warehouse.
type Item struct {
	SKU      string
	Name     string
	Quantity int64
}

// Stock is a warehouse in memory. Its methods may be called concurrently, and
// their errors are of type [fault.Error].
type Stock struct {
	mu       sync.Mutex
	items    map[string]entry
	revision uint64
	changed  chan struct{} // closed and replaced with each change
}

// entry is an item and the revision of the stock in which it last changed.
type entry struct {
	Item

	revision uint64
}

// NewStock returns a warehouse that holds items, which must be valid.
func NewStock(items ...Item) *Stock {
	s := &Stock{items: make(map[string]entry), changed: make(chan struct{})}
	for _, item := range items {
		s.put(item)
	}
	return s
}

// List returns the items whose SKU or name contains filter, ignoring case, in the
// order of their SKUs.
func (s *Stock) List(filter string) []Item {
	filter = strings.ToLower(filter)
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Item
	for _, sku := range slices.Sorted(maps.Keys(s.items)) {
		item := s.items[sku].Item
		if strings.Contains(strings.ToLower(item.SKU), filter) || strings.Contains(strings.ToLower(item.Name), filter) {
			found = append(found, item)
		}
	}
	return found
}

// Adjust adds delta to the quantity of an item and returns the item.
func (s *Stock) Adjust(sku string, delta int64) (Item, error) {
	if delta == 0 {
		return Item{}, fault.InvalidArgument("delta is zero, so there is nothing to adjust")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.get(sku)
	if err != nil {
		return Item{}, err
	}
	if delta > 0 && found.Quantity > math.MaxInt64-delta {
		return Item{}, fault.InvalidArgument("delta %d is too large", delta)
	}
	if found.Quantity+delta < 0 {
		return Item{}, fault.FailedPrecondition("only %d of %s in stock", found.Quantity, sku)
	}
	found.Quantity += delta
	s.put(found)
	return found, nil
}

// SetCount records the counted quantity of an item. It returns the item and the
// difference from the quantity before.
func (s *Stock) SetCount(sku string, counted int64) (Item, int64, error) {
	if counted < 0 {
		return Item{}, 0, fault.InvalidArgument("counted is %d, which is negative", counted)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.get(sku)
	if err != nil {
		return Item{}, 0, err
	}
	difference := counted - found.Quantity
	if difference != 0 {
		found.Quantity = counted
		s.put(found)
	}
	return found, difference, nil
}

// Import stores all items, or none of them if one is invalid. It returns how many
// were new and how many replaced an item with the same SKU.
func (s *Stock) Import(items []Item) (created, updated uint32, err error) {
	for i, item := range items {
		if err := validate(item); err != nil {
			return 0, 0, fault.InvalidArgument("item %d: %v", i+1, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := make(map[string]bool)
	for _, item := range items {
		if _, ok := s.items[item.SKU]; !ok && !fresh[item.SKU] {
			fresh[item.SKU] = true
			created++
		} else {
			updated++
		}
	}
	if len(s.items)+len(fresh) > maxItems {
		return 0, 0, fault.ResourceExhausted("the warehouse holds no more than %d kinds of items", maxItems)
	}
	for _, item := range items {
		s.put(item)
	}
	return created, updated, nil
}

// Since returns the items that changed after the given revision, in the order of
// their changes, the current revision, and a channel that is closed with the next
// change. With revision zero it returns all items.
func (s *Stock) Since(revision uint64) (items []Item, now uint64, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []entry
	for _, e := range s.items {
		if e.revision > revision {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.revision, b.revision) })
	for _, e := range entries {
		items = append(items, e.Item)
	}
	return items, s.revision, s.changed
}

// get finds an item. The caller holds the lock.
func (s *Stock) get(sku string) (Item, error) {
	if sku == "" {
		return Item{}, fault.InvalidArgument("sku is empty")
	}
	found, ok := s.items[sku]
	if !ok {
		return Item{}, fault.NotFound("no item %.*q", maxSKULength, sku)
	}
	return found.Item, nil
}

// put stores an item and wakes the goroutines that wait for a change. The caller
// holds the lock.
func (s *Stock) put(item Item) {
	s.revision++
	s.items[item.SKU] = entry{item, s.revision}
	close(s.changed)
	s.changed = make(chan struct{})
}

func validate(item Item) error {
	switch {
	case item.SKU == "":
		return fault.InvalidArgument("sku is empty")
	case len(item.SKU) > maxSKULength:
		return fault.InvalidArgument("sku is longer than %d bytes", maxSKULength)
	case strings.Trim(item.SKU, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "":
		return fault.InvalidArgument("sku %q holds more than capital letters, digits and hyphens", item.SKU)
	case item.Name == "":
		return fault.InvalidArgument("%s has no name", item.SKU)
	case len(item.Name) > maxNameLength:
		return fault.InvalidArgument("the name of %s is longer than %d bytes", item.SKU, maxNameLength)
	case item.Quantity < 0:
		return fault.InvalidArgument("the quantity of %s is negative", item.SKU)
	}
	return nil
}
