package broker

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/keysake/keysake/internal/redact"
)

// scrubHeader replaces the value in the headers of an answer. It reports whether there was any.
func scrubHeader(h http.Header, masks *redact.Masks, least int) (found bool) {
	for name, values := range h {
		for i, v := range values {
			if len(v) < least {
				continue
			}
			if clean, n := scrubText(v, masks); n > 0 {
				values[i], found = clean, true
			}
		}
		if clean, n := "", 0; len(name) >= least {
			if clean, n = scrubText(name, masks); n > 0 {
				delete(h, name)
				h[clean], found = values, true
			}
		}
	}
	return found
}

func scrubText(text string, masks *redact.Masks) (string, int) {
	var b strings.Builder
	w := masks.Writer(&b)
	_, _ = w.Write([]byte(text)) // a builder takes everything
	_ = w.Close()
	return b.String(), w.Replaced()
}

// isText reports whether an answer is of a type in which a provider may repeat what was sent, and
// in which the placeholder may stand in its place.
func isText(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return contentType == ""
	}
	major, minor, _ := strings.Cut(kind, "/")
	switch {
	case major == "text":
		return true
	case major != "application":
		return false
	}
	switch minor {
	case "json", "x-ndjson", "jsonl", "ndjson", "xml", "javascript", "x-www-form-urlencoded",
		"graphql-response", "yaml", "problem", "json-seq":
		return true
	}
	return strings.HasSuffix(minor, "+json") || strings.HasSuffix(minor, "+xml")
}

// isParts reports whether an answer has several parts, which may be of any type.
func isParts(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err != nil || strings.HasPrefix(kind, "multipart/")
}

// scrubBody makes the body of an answer one in which the value is replaced as it streams. An answer
// in gzip is handed on without. It reports whether it could.
func (b *Broker) scrubBody(resp *http.Response, f *flow) bool {
	body := resp.Body
	switch strings.ToLower(resp.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip", "x-gzip":
		body = &gunzip{from: body}
		resp.Header.Del("Content-Encoding")
	default:
		return false
	}
	f.scrubs = true
	s := &scrubbed{ReadCloser: body, flow: f, broker: b, stream: f.masks.Stream()}
	if counted, ok := body.(download); ok {
		s.ReadCloser, s.counts = counted.ReadCloser, true // one call less deep: see ServeHTTP
	}
	resp.Body = s
	// How long the answer is now is not known. That it has an end stays known: see flushInterval.
	resp.Header.Del("Content-Length")
	// The digests of what the provider sent do not fit any more.
	resp.Header.Del("Content-Md5")
	resp.Header.Del("Digest")
	resp.Header.Del("Content-Digest")
	return true
}

// A scrubbed body is one in which the value is replaced. It holds back only what may be the
// beginning of one.
type scrubbed struct {
	io.ReadCloser
	flow   *flow
	broker *Broker
	counts bool // what is read
	stream *redact.Stream
	rest   []byte // what may be passed on, and found no room
	err    error
}

func (s *scrubbed) Read(p []byte) (n int, err error) {
	for len(s.rest) == 0 && s.err == nil {
		n, s.err = s.ReadCloser.Read(p)
		if s.counts {
			s.flow.count(&s.flow.received, n)
			if s.err != nil {
				s.flow.answered()
			}
		}
		s.flow.heed(p[:n], s.err)
		clean := s.stream.Next(p[:n]) // most often p itself
		n = copy(p, clean)
		s.rest = clean[n:]
		if s.err != nil {
			s.finish()
		}
		if n > 0 {
			break
		}
	}
	if n == 0 {
		n = copy(p, s.rest)
		s.rest = s.rest[n:]
	}
	if len(s.rest) == 0 {
		err = s.err
	}
	return n, err
}

// finish passes on what was held back. What was cut off stays held back: half a value must not be
// the end of what a client sees.
func (s *scrubbed) finish() {
	if errors.Is(s.err, io.EOF) {
		s.rest = append(bytes.Clone(s.rest), s.stream.End()...)
	}
	if s.stream.Replaced() > 0 {
		s.broker.echoed.Add(1)
	}
}

// gunzip reads gzip. Its reader is made when it is read first: that waits for the first bytes.
type gunzip struct {
	from   io.ReadCloser
	reader *gzip.Reader
	err    error
}

var gzipReaders sync.Pool //nolint:gochecknoglobals // a reader has 40 KiB

func (g *gunzip) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	if g.reader == nil {
		if pooled, ok := gzipReaders.Get().(*gzip.Reader); ok {
			g.reader = pooled
			g.err = g.reader.Reset(g.from)
		} else {
			g.reader, g.err = gzip.NewReader(g.from)
		}
		if g.err != nil {
			return 0, g.err
		}
	}
	n, err := g.reader.Read(p)
	g.err = err
	return n, err
}

func (g *gunzip) Close() error {
	if g.reader != nil && g.err != nil {
		gzipReaders.Put(g.reader)
	}
	g.reader = nil
	if g.err == nil {
		g.err = http.ErrBodyReadAfterClose
	}
	return g.from.Close()
}

// encodings returns what a client may be answered in, of what it asks for: what can be looked into,
// and what the catalog says is passed on.
func encodings(asked []string, passes []string) string {
	var all []string
	for line := range strings.SplitSeq(strings.Join(asked, ","), ",") {
		coding, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding == "gzip" || coding != "" && containsFold(passes, coding) {
			all = append(all, coding)
		}
	}
	if len(all) == 0 {
		return "identity"
	}
	return strings.Join(all, ", ")
}

func containsFold(all []string, one string) bool {
	for _, s := range all {
		if strings.EqualFold(s, one) {
			return true
		}
	}
	return false
}
