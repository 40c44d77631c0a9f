package broker_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/broker"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// busy are leases whose requests never cease: one more comes while others are recorded.
type busy struct {
	grants
	next    func()
	batches []int
}

func (b *busy) RecordBrokered(
	ctx context.Context, all []vault.BrokeredRequest,
) (map[uuid.UUID]vault.BrokerUse, error) {
	b.batches = append(b.batches, len(all))
	b.next()
	return b.grants.RecordBrokered(ctx, all)
}

func TestARequestThatComesWhileOthersAreRecordedWaitsForTheNextTime(t *testing.T) {
	t.Parallel()
	known := must(catalog.Load())
	var placeholders []string // of many leases: refusals of one do not fill a batch
	g := &busy{grants: grants{live: map[string]vault.Grant{}}}
	for c := range strings.SplitSeq("abcdefghij", "") {
		placeholder := "sk-proj-" + strings.Repeat(c, 71)
		placeholders = append(placeholders, placeholder)
		g.live[placeholder] = vault.Grant{
			User: uuid.New(), Lease: uuid.New(), Secret: uuid.New(), Provider: "openai", Version: 1,
			Value:     plaintext.FromString("key-" + randomText(40)),
			ExpiresAt: time.Now().Add(time.Hour),
			Limits:    vault.BrokerLimits{Methods: []string{http.MethodPost}},
		}
	}
	sent := 0
	b := broker.New(broker.Options{
		Grants: g, Catalog: known, Log: slog.New(slog.DiscardHandler),
	})
	g.next = func() {
		r := httptest.NewRequestWithContext(
			t.Context(), http.MethodGet, "/openai/v1/models", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+placeholders[sent%len(placeholders)])
		sent++
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	}
	for range 1500 { // more than one transaction takes
		g.next()
	}
	b.KeepRecord(t.Context())
	b.KeepRecord(t.Context())
	if len(g.batches) != 3 || g.batches[0] != 1000 || g.batches[1] != 501 || g.batches[2] != 1 {
		t.Errorf("batches of %v", g.batches)
	}
}
