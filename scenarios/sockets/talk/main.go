// Command talk is a guest of the tests: a web server and its clients in one process,
// or, with an address as its argument, the server alone, for clients elsewhere.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

func main() {
	address := "127.0.0.1:0"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	quit := make(chan struct{})
	go func() { fmt.Fprintln(os.Stderr, http.Serve(l, handler(quit))) }()
	if len(os.Args) == 1 {
		clients(l.Addr().String())
		return
	}
	<-quit
	os.Exit(3)
}

// handler answers with the number of the request and its body in capitals.
func handler(quit chan struct{}) http.Handler {
	mux := http.NewServeMux()
	var count atomic.Int64
	mux.HandleFunc("/upper", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		fmt.Fprint(w, count.Add(1), " ", strings.ToUpper(string(b)))
	})
	var once sync.Once
	mux.HandleFunc("/quit", func(http.ResponseWriter, *http.Request) { once.Do(func() { close(quit) }) })
	return mux
}

func clients(address string) {
	var wg sync.WaitGroup
	out := make([]string, 4)
	for i := range out {
		wg.Add(1)
		go func() {
			defer wg.Done()
			body := fmt.Sprintf("request %d %s", i, strings.Repeat("x", i*30_000))
			r, err := http.Post("http://"+address+"/upper", "text/plain", strings.NewReader(body))
			if err != nil {
				out[i] = err.Error()
				return
			}
			defer r.Body.Close()
			b, err := io.ReadAll(r.Body)
			_, text, _ := strings.Cut(string(b), " ") // the numbers depend on who comes first
			out[i] = fmt.Sprintf("%d: %d bytes, %.12s, %v", r.StatusCode, len(b), text, err)
		}()
	}
	wg.Wait()
	for _, s := range out {
		fmt.Println(s)
	}
}
