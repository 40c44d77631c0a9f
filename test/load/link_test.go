package load_test

import (
	"net"
	"testing"
	"time"

	"github.com/keysake/keysake/test/load"
)

func TestARequestThatABusyServerRefusesIsSentAgain(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buf := make([]byte, 1<<10)
		for _, status := range []string{"503 Busy", "200 OK", "404 Not Found"} {
			if _, err := conn.Read(buf); err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n"))
		}
	}()
	link, err := load.Dial(t.Context(), listener.Addr().String(), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	request := load.AppendRequest(nil, "GET", "/", "token", "")
	if err := link.Insist(t.Context(), request, "200"); err != nil {
		t.Error(err)
	}
	if err := link.Insist(t.Context(), request, "200"); err == nil {
		t.Error("a refusal for good is no error")
	}
}
