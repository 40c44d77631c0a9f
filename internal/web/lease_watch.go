package web

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

const (
	// watchEvery is how often the record is looked at: the broker writes it once a second.
	watchEvery = time.Second
	// watchAfter is how many times more when the lease has ended, for the last requests.
	watchAfter = 2
	// beatEvery is how many looks without news there are between two signs of life, which keep
	// proxies from closing the connection.
	beatEvery = 15
	// watchWrite is how long a browser may take for what it is sent.
	watchWrite = 10 * time.Second
)

// A requestRow is a request of a lease as a page shows it.
type requestRow struct {
	vault.BrokeredRequest

	Name string // of its secret; empty where that is not known
}

func requestRows(all []vault.BrokeredRequest, of vault.Lease) []requestRow {
	names, rows := secretNames(of), make([]requestRow, len(all))
	for i, one := range all {
		rows[i] = requestRow{one, names[one.Secret]}
	}
	return rows
}

// A leaseWatch is a stream of the requests of a lease.
type leaseWatch struct {
	*site

	w     http.ResponseWriter
	r     *request
	lease vault.Lease
	after uuid.UUID // the last request that the browser has
	sent  bool      // something, since the last look
}

// watchLease sends the requests of a lease as they are recorded, until the lease has ended, the
// session has, or the server stops. A browser whose connection is lost comes again, and says what
// it has.
func (s *site) watchLease(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	watch := leaseWatch{site: s, w: w, r: r}
	watch.lease, err = s.Vault.GetLease(r.Context(), r.session.Actor, id)
	if err != nil {
		return err
	}
	if watch.lease.Delivery != vault.ByBroker {
		return errNoPage
	}
	leave, err := s.streams.enter(r.session.Actor)
	if err != nil {
		return err
	}
	defer leave()
	for _, known := range []string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")} {
		if last, err := uuid.Parse(known); err == nil {
			watch.after = last
			break
		}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep what is not much
	if watch.send("retry: 3000\n\n") && r.Method == http.MethodGet {
		watch.run()
	}
	return nil // the answer has begun: an error has no page any more
}

// run looks at the record until there is a reason to end.
func (l *leaseWatch) run() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for silent, ended := 0, 0; ; silent++ {
		if !l.look() {
			return
		}
		if l.lease.State != vault.LeaseActive {
			ended++
		}
		if ended > watchAfter {
			l.end("The lease has ended: no request comes any more.")
			return
		}
		if l.sent {
			silent = 0
		}
		if silent == beatEvery {
			if silent = 0; !l.send(":\n\n") {
				return
			}
		}
		select {
		case <-tick.C:
		case <-l.r.Context().Done():
			return
		case <-l.Stopping: // the browser comes again, to the server that is then there
			return
		}
	}
}

// look sends what is new, and reports whether there may be more.
func (l *leaseWatch) look() bool {
	l.sent = false
	ctx, who := l.r.Context(), l.r.session.Actor
	if _, err := l.Sessions.Look(l.r.Request); vault.KindOf(err) == vault.Unauthenticated {
		l.end("Your session has ended: sign in again.")
		return false
	} else if err != nil {
		return false
	}
	lease, err := l.Vault.GetLease(ctx, who, l.lease.ID)
	if err != nil {
		return false
	}
	l.lease = lease
	q := vault.BrokeredQuery{Lease: lease.ID, After: l.after, Limit: vault.MaxBrokeredPage}
	found, err := l.Vault.ListBrokered(ctx, who, q)
	if err != nil {
		return false
	}
	for _, row := range requestRows(found, lease) {
		var item bytes.Buffer
		if l.pages["lease"].ExecuteTemplate(&item, "request", row) != nil ||
			!l.send(event("request", row.ID.String(), item.String())) {
			return false
		}
		l.after, l.sent = row.ID, true
	}
	return true
}

// end tells the browser not to come again, and why.
func (l *leaseWatch) end(why string) { _ = l.send(event("end", "", why)) }

// event is an event of a stream. A browser takes CR, too, for the end of a line.
func event(kind, id, data string) string {
	text := "event: " + kind + "\n"
	if id != "" {
		text += "id: " + id + "\n"
	}
	return text + "data: " +
		strings.NewReplacer("\r", " ", "\n", "\ndata: ").Replace(strings.TrimSpace(data)) + "\n\n"
}

// send reports whether the browser still takes what it is sent. HTTP/2 ends a stream when a
// deadline is over, whether or not anything is being written: there is none in between.
func (l *leaseWatch) send(text string) bool {
	control := http.NewResponseController(l.w)
	_ = control.SetWriteDeadline(time.Now().Add(watchWrite))
	if _, err := l.w.Write([]byte(text)); err != nil {
		return false
	}
	err := control.Flush()
	_ = control.SetWriteDeadline(time.Time{})
	return err == nil
}
