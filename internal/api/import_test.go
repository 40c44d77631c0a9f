package api_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/keysake/keysake/wire"
)

// A client that is killed has sent half of its request, or has sent it whole and reads no answer.
func TestAnImportWhoseClientIsKilledIsStoredWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := encode(t, members{"secrets": []members{
		{"name": "FIRST", "value": "any-value"}, {"name": "SECOND", "value": "any-value"},
	}})
	for _, sent := range []int{0, 1, len(body) / 2, len(body) - 1, len(body)} {
		me := s.person(t, allScopes...)
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(conn, "POST %s/import HTTP/1.1\r\nHost: a\r\n"+
			"Authorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			secretsPath, me.key.Reveal(), len(body), body[:sent])
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		if sent == len(body) {
			want = 2
			_, _ = io.ReadFull(conn, make([]byte, 1)) // it is done when there is an answer
		}
		_ = conn.Close()
		list := into[wire.SecretList](t, s.do(t, get(secretsPath, me.key)).want(t, 200))
		if list.Total != want {
			t.Errorf("of %d bytes, %d were sent: %d secrets", len(body), sent, list.Total)
		}
	}
}
