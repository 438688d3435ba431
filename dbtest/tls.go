package dbtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// memcachedTLS is a memcached that speaks TLS alone, with a certificate of its own.
var memcachedTLS = program{
	name:   "memcached",
	debian: "memcached",
	tools:  []string{"memcached"},
	init:   func(s *Server) error { return certify(s.dir) },
	args: func(s *Server) []string {
		return []string{
			"-l", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "0", "-m", "64", "-c", "1024", "-t", "2",
			"-Z", "-o", "ssl_chain_cert=" + filepath.Join(s.dir, "cert.pem"), "-o", "ssl_key=" + filepath.Join(s.dir, "key.pem"),
		}
	},
	ping: func(s *Server, conn net.Conn) error {
		return pingMemcached(s, tls.Client(conn, &tls.Config{InsecureSkipVerify: true}))
	},
	stop:  syscall.SIGTERM,
	abort: syscall.SIGKILL,
}

// NewMemcachedTLS starts a memcached server for one test which speaks TLS alone; args are added to its command line.
// With the second result its certificate is trusted. Where memcached was built without TLS it doesn't start.
func NewMemcachedTLS(t testing.TB, args ...string) (*Server, *x509.CertPool) {
	t.Helper()
	s := own(t, &memcachedTLS, args)
	text, err := os.ReadFile(filepath.Join(s.dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return s, pool
}

// certify writes a key and a certificate for loopback, signed by itself, into a folder. Any user may read them.
func certify(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dbtest"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(filepath.Join(dir, "cert.pem"), "CERTIFICATE", cert),
		writePEM(filepath.Join(dir, "key.pem"), "PRIVATE KEY", private),
	)
}

func writePEM(path, kind string, data []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o644)
}
