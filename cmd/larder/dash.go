package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func dashCommand() *cobra.Command {
	var asking asking
	listen := ""
	command := &cobra.Command{
		Use:   "dash URL",
		Short: "The dashboard of a running process, on this machine",
		Long: `Dash serves the dashboard of a process that may be elsewhere, at an address of this machine, for a browser: what the
cache saves, why reads miss, what costs more than it saves, how the store is asked.

URL is where the process serves its dashboard (dash.Handler). What it wants to know of who asks is given with
--header, or in the URL (https://user:password@host/), and added to what the browser asks; what the browser
sends besides isn't handed on. Nothing but reads is. Whoever can reach the address sees the page. It is stopped with Ctrl-C.`,
		Example: `  larder dash http://127.0.0.1:8080/larder/
  larder dash https://shop.example/larder/ --listen 127.0.0.1:7070
  LARDER_HEADER='Authorization: Bearer …' larder dash https://shop.example/larder/`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := asking.processAt(args[0])
			if err != nil {
				return err
			}
			if host, _, err := net.SplitHostPort(listen); err != nil || host == "" {
				return usagef("--listen takes an address of this machine and a port, like 127.0.0.1:7070")
			}
			return p.serve(c, listen)
		},
	}
	asking.flags(command.Flags())
	command.Flags().StringVar(&listen, "listen", "127.0.0.1:7070", "where to serve it; port 0 is any that is free")
	return command
}

// serve serves the dashboard of a process until the command is interrupted.
func (p process) serve(c *cobra.Command, listen string) error {
	ctx := c.Context()
	var stats remoteStats
	if err := p.read(ctx, "/api/stats", &stats); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: p.proxy(listen), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { server.Close() }) // streams don't end by themselves
	defer stop()
	fmt.Fprintf(c.OutOrStdout(), "The dashboard of %s is at http://%s/ (stop it with Ctrl-C)\n", hidden(p.address), listener.Addr())
	if err := server.Serve(listener); ctx.Err() == nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// proxy hands on what a browser asks of the process, and the answers. A browser that was led here by a name of somebody else's (DNS
// rebinding), or by another site, is refused: the page is for who has typed the address. Nor do other sites read answers because the process
// lets them: here the answers are those to the credentials of the command.
func (p process) proxy(listen string) http.Handler {
	target, _ := url.Parse(p.address) // it was checked
	forward := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { p.rewrite(r, target) },
		ModifyResponse: admit,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "larder: ask the process: "+(&connection{dsn: p.address}).redact(err).Error(), http.StatusBadGateway)
		},
	}
	host, _, _ := net.SplitHostPort(listen)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !typed(r.Host, host):
			http.Error(w, "larder: ask by the address that --listen names", http.StatusMisdirectedRequest)
		case !fromHere(r):
			http.Error(w, "larder: another site asks: open the address itself", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "larder: the dashboard is only read", http.StatusMethodNotAllowed)
		default:
			forward.ServeHTTP(w, r)
		}
	})
}

// admit takes from an answer what is for who has asked the process, and not for the browser. One that sends the browser elsewhere, or
// asks it for a password, is an error: neither is the browser's to follow.
func admit(answer *http.Response) error {
	for name := range answer.Header {
		if name == "Set-Cookie" || strings.HasPrefix(name, "Access-Control-") {
			delete(answer.Header, name)
		}
	}
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("it answers %s: %s", answer.Status, credentialsFor(answer))
	case answer.StatusCode >= 300 && answer.StatusCode < 400 && answer.StatusCode != http.StatusNotModified:
		return fmt.Errorf("it answers %s: does it want a --header?", answer.Status)
	}
	return nil
}

// fromHere reports whether a request comes of the page itself, of who has typed the address, or of a program: browsers say if it
// is of another site.
func fromHere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return false
	}
	origin := r.Header.Values("Origin")
	return len(origin) == 0 || len(origin) == 1 && strings.EqualFold(origin[0], "http://"+r.Host)
}

// rewrite makes the request to the process: its path stays under that of the dashboard.
func (p process) rewrite(r *httputil.ProxyRequest, target *url.URL) {
	clean := path.Clean("/" + r.In.URL.Path)
	if strings.HasSuffix(r.In.URL.Path, "/") && clean != "/" {
		clean += "/"
	}
	to := *target
	to.Path, to.RawPath, to.RawQuery = strings.TrimSuffix(target.Path, "/")+clean, "", r.In.URL.RawQuery
	r.Out.URL, r.Out.Host = &to, target.Host
	r.Out.Body, r.Out.ContentLength, r.Out.TransferEncoding, r.Out.Trailer = nil, 0, nil, nil
	accept := r.In.Header.Values("Accept")
	r.Out.Header = p.header.Clone()
	if r.Out.Header == nil {
		r.Out.Header = make(http.Header)
	}
	r.Out.Header["Accept"] = accept
	if user := target.User; user != nil && r.Out.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		r.Out.SetBasicAuth(user.Username(), password)
	}
}

// typed reports whether a request names its host by an address, "localhost" or the name that is listened at.
func typed(requested, listen string) bool {
	host := requested
	if h, _, err := net.SplitHostPort(requested); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || host == listen
}
