package redis

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/storetest"
)

// command sends one command to a server by itself.
func command(t *testing.T, server *dbtest.Server, args ...string) string {
	t.Helper()
	text, err := try(server, args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return text
}

func try(server *dbtest.Server, args ...string) (string, error) {
	s, err := Open(Options{Addresses: []string{server.Addr()}})
	if err != nil {
		return "", err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(bg, patient)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return "", err
	}
	m, err := c.Do(ctx, c.B().Arbitrary(args...).Build()).ToMessage()
	if err != nil {
		return "", err
	}
	text, err := m.ToString()
	if err != nil {
		return m.String(), nil
	}
	return text, nil
}

// until waits until a server's answer has a text in it.
func until(t *testing.T, server *dbtest.Server, want string, args ...string) {
	t.Helper()
	var got string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got, _ = try(server, args...); strings.Contains(got, want) {
			return
		}
	}
	t.Fatalf("%v: %q, want %q", args, got, want)
}

func split(server *dbtest.Server) (host, port string) {
	host, port, _ = net.SplitHostPort(server.Addr())
	return host, port
}

// newCluster starts three masters.
func newCluster(t *testing.T) []*dbtest.Server {
	t.Helper()
	var nodes []*dbtest.Server
	for i := range 3 {
		nodes = append(nodes, newNode(t))
		command(t, nodes[i], "CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*5461), fmt.Sprint(min(i*5461+5460, 16383)))
		if i == 2 {
			command(t, nodes[i], "CLUSTER", "ADDSLOTS", "16383")
		}
		command(t, nodes[i], "CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
		meet(t, nodes[i], nodes[0])
	}
	for _, n := range nodes {
		until(t, n, "cluster_slots_ok:16384", "CLUSTER", "INFO")
		until(t, n, "cluster_state:ok", "CLUSTER", "INFO")
		until(t, n, "cluster_known_nodes:3", "CLUSTER", "INFO")
	}
	return nodes
}

func newNode(t *testing.T) *dbtest.Server {
	t.Helper()
	return dbtest.NewRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
		"--cluster-require-full-coverage", "no", "--appendonly", "no")
}

func meet(t *testing.T, a, b *dbtest.Server) {
	t.Helper()
	host, port := split(b)
	command(t, a, "CLUSTER", "MEET", host, port)
}

func addresses(nodes []*dbtest.Server) []string {
	var list []string
	for _, n := range nodes {
		list = append(list, n.Addr())
	}
	return list
}

func TestCluster(t *testing.T) {
	nodes := newCluster(t)
	o := Options{Addresses: addresses(nodes), Cluster: true}
	t.Run("contract", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Subject {
			with := o
			with.Prefix = newPrefix()
			return storetest.Subject{Store: storetest.Outside(open(t, with)), Sleep: time.Sleep, Lease: 300 * time.Millisecond}
		})
	})
	t.Run("contract of plain values", func(t *testing.T) { storetest.RunPlain(t, subject(o)) })
	t.Run("linearizable", func(t *testing.T) {
		for round := range rounds(2, 10) {
			a, b := pair(t, o, nil)
			h := newHistory(a, b, 0)
			h.run(4, 50, uint64(round))
			if !h.linearizable(t) || h.lost.Load() > 0 {
				t.Fatalf("round %d: %d operations are not linearizable, or %d steps failed", round, len(h.ops), h.lost.Load())
			}
		}
	})
	t.Run("all nodes have a share", func(t *testing.T) {
		r := rig{t, open(t, o)}
		for i := range 50 {
			r.fill(fmt.Sprint("k", i), store.Tag(fmt.Sprint("a", i)), "b")
		}
		for _, n := range nodes {
			if got := command(t, n, "DBSIZE"); got == "0" {
				t.Error("a node has no keys")
			}
		}
		if st := r.s.Stats(); st.Bytes == 0 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("a slot that moves and comes back", func(t *testing.T) { slotMoves(t, nodes, o) })
	t.Run("failover", func(t *testing.T) { clusterFailover(t, nodes, o) })
}

// slotMoves moves the slot of a tag to another node and back. No entry of before comes with it.
func slotMoves(t *testing.T, nodes []*dbtest.Server, o Options) {
	o.Prefix = newPrefix()
	r := rig{t, open(t, o)}
	key := r.s.names.group([]store.Tag{"a"})[0].keys[0]
	slot, err := r.tell("CLUSTER", "KEYSLOT", key).AsInt64()
	r.ok(err)
	from := nodes[min(slot/5461, 2)]
	to := nodes[(min(slot/5461, 2)+1)%3]
	r.fill("k", "a")
	r.hit("k")
	for range 2 {
		moveSlot(t, nodes, fmt.Sprint(slot), from, to)
		from, to = to, from
		for _, err := r.s.Lookup(t.Context(), "", []store.Tag{"a"}); err != nil; _, err = r.s.Lookup(t.Context(), "", []store.Tag{"a"}) {
			time.Sleep(5 * time.Millisecond)
		}
		r.miss("k", "a")
		r.fill("k", "a")
	}
	r.write("a")
	r.miss("k", "a")
}

func moveSlot(t *testing.T, nodes []*dbtest.Server, slot string, from, to *dbtest.Server) {
	t.Helper()
	id := strings.TrimSpace(command(t, to, "CLUSTER", "MYID"))
	command(t, to, "CLUSTER", "SETSLOT", slot, "IMPORTING", strings.TrimSpace(command(t, from, "CLUSTER", "MYID")))
	command(t, from, "CLUSTER", "SETSLOT", slot, "MIGRATING", id)
	s := open(t, Options{Addresses: []string{from.Addr()}})
	keys, err := tell(t, s, "CLUSTER", "GETKEYSINSLOT", slot, "1000").AsStrSlice()
	if err != nil || len(keys) == 0 {
		t.Fatalf("keys %q of slot %s: %v", keys, slot, err)
	}
	host, port := split(to)
	tell(t, s, append([]string{"MIGRATE", host, port, "", "0", "5000", "REPLACE", "KEYS"}, keys...)...)
	for _, n := range append([]*dbtest.Server{to, from}, nodes...) {
		command(t, n, "CLUSTER", "SETSLOT", slot, "NODE", id)
	}
}

// clusterFailover has a replica take the place of a master that had been written to
// after the two were parted. No entry of before is served; without eras some would be.
func clusterFailover(t *testing.T, nodes []*dbtest.Server, o Options) {
	replica := newNode(t)
	meet(t, replica, nodes[0])
	until(t, replica, "cluster_known_nodes:4", "CLUSTER", "INFO")
	command(t, replica, "CLUSTER", "REPLICATE", strings.TrimSpace(command(t, nodes[0], "CLUSTER", "MYID")))
	until(t, replica, "master_link_status:up", "INFO", "replication")
	o.Prefix = newPrefix()
	r := rig{t, open(t, o)}
	o.Prefix = newPrefix()
	deceived := rig{t, open(t, o)}
	deceived.deceive()
	for i := range 100 {
		r.fill(fmt.Sprint("k", i), store.Tag(fmt.Sprint("a", i)))
		deceived.fill(fmt.Sprint("k", i), store.Tag(fmt.Sprint("a", i)))
	}
	synced(t, nodes[0], replica)
	if err := replica.Pause(); err != nil {
		t.Fatal(err)
	}
	command(t, nodes[0], "CLIENT", "KILL", "TYPE", "replica") // so that nothing waits for it in the socket
	for i := range 100 {
		r.write(store.Tag(fmt.Sprint("a", i)))
		deceived.write(store.Tag(fmt.Sprint("a", i)))
	}
	if err := nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if err := replica.Resume(); err != nil {
		t.Fatal(err)
	}
	_, _ = try(replica, "CLUSTER", "FAILOVER", "TAKEOVER") // or it has taken over by itself
	until(t, replica, "role:master", "INFO", "replication")
	if n := hits(t, r); n > 0 {
		t.Errorf("%d of 100 keys are hits after their tags were written", n)
	}
	stale := hits(t, deceived)
	if stale == 0 {
		t.Error("without eras nothing would be stale: this test tests nothing")
	}
	t.Logf("without eras %d of 100 would be stale", stale)
}

// hits asks for k0 to k99 until all are answered, and returns how many are hits.
func hits(t *testing.T, r rig) (n int) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	for i := range 100 {
		v, err := r.s.Lookup(t.Context(), fmt.Sprint("k", i), []store.Tag{store.Tag(fmt.Sprint("a", i))})
		for ; err != nil && time.Now().Before(end); v, err = r.s.Lookup(t.Context(), fmt.Sprint("k", i), []store.Tag{store.Tag(fmt.Sprint("a", i))}) {
			time.Sleep(5 * time.Millisecond)
		}
		if err != nil {
			t.Fatalf("k%d isn't answered: %v", i, err)
		}
		if v.Entry != nil {
			n++
		}
	}
	return n
}

// synced waits until a replica has what its master has now.
func synced(t *testing.T, master, replica *dbtest.Server) {
	t.Helper()
	want := figure(command(t, master, "INFO", "replication"), "master_repl_offset:")
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if figure(command(t, replica, "INFO", "replication"), "slave_repl_offset:") >= want {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the replica doesn't catch up")
		}
	}
}

// newReplica starts a replica and waits until it has what its master has.
func newReplica(t *testing.T, master *dbtest.Server) *dbtest.Server {
	t.Helper()
	host, port := split(master)
	replica := dbtest.NewRedis(t, "--appendonly", "no", "--replicaof", host+" "+port)
	until(t, replica, "master_link_status:up", "INFO", "replication")
	return replica
}

// TestReplica: a replica is an error, and when it is promoted it serves nothing
// of what it had; if it knew no eras it would.
func TestReplica(t *testing.T) {
	for name, deceived := range map[string]bool{"with eras": false, "without eras": true} {
		t.Run(name, func(t *testing.T) {
			master := dbtest.NewRedis(t, "--appendonly", "no", "--repl-diskless-sync-delay", "0")
			r := on(t, master, Options{})
			replica := newReplica(t, master)
			old := on(t, replica, Options{Prefix: r.s.opts.Prefix})
			if deceived {
				r.deceive()
				old.deceive()
			}
			r.fill("k", "a")
			synced(t, master, replica)
			if deceived {
				old.hit("k")
			} else if _, err := old.s.Lookup(t.Context(), "k", nil); err == nil {
				t.Error("a replica answers")
			}
			command(t, replica, "REPLICAOF", "NO", "ONE")
			r.write("a") // the replica hasn't seen it
			if deceived {
				old.hit("k")
				return
			}
			old.miss("k", "a")
		})
	}
}

// TestThereAndBack: a master becomes a replica and a master again, without being restarted.
func TestThereAndBack(t *testing.T) {
	a := dbtest.NewRedis(t, "--appendonly", "no", "--repl-diskless-sync-delay", "0")
	r := on(t, a, Options{})
	r.fill("k", "a")
	b := newReplica(t, a)
	command(t, b, "REPLICAOF", "NO", "ONE")
	host, port := split(b)
	command(t, a, "REPLICAOF", host, port)
	until(t, a, "master_link_status:up", "INFO", "replication")
	command(t, a, "REPLICAOF", "NO", "ONE")
	if n := command(t, a, "EXISTS", r.s.names.entry("k")); !strings.Contains(n, "1") {
		t.Fatalf("the entry is gone, %s: this test tests nothing", n)
	}
	r.recover()
	r.miss("k", "a")
}

func TestSentinel(t *testing.T) {
	master := dbtest.NewRedis(t, "--appendonly", "no", "--repl-diskless-sync-delay", "0")
	replica := newReplica(t, master)
	watch := dbtest.NewSentinel(t)
	host, port := split(master)
	command(t, watch, "SENTINEL", "MONITOR", "larder", host, port, "1")
	command(t, watch, "SENTINEL", "SET", "larder", "down-after-milliseconds", "500")
	command(t, watch, "SENTINEL", "SET", "larder", "failover-timeout", "3000")
	until(t, master, "slave0:", "INFO", "replication")
	s := open(t, Options{Addresses: []string{watch.Addr()}, Master: "larder", Timeout: time.Second, Prefix: newPrefix()})
	r := rig{t, s}
	r.fill("k", "a")
	r.write("b")
	until(t, watch, "slaves=1", "INFO", "sentinel")
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, replica, "role:master", "INFO", "replication")
	r.recover()
	r.miss("k", "a")
	r.fill("k", "a")
	r.write("a")
	r.miss("k", "a")
}

// TestUser: what a user must be allowed, and no more; with a wrong password there is no store.
func TestUser(t *testing.T) {
	server := dbtest.NewRedis(t)
	command(t, server, append([]string{"ACL", "SETUSER", "cache", "on", ">secret"}, minimalACL...)...)
	r := on(t, server, Options{Username: "cache", Password: "secret", Prefix: "larder:"})
	r.fill("k", "a")
	r.write("a")
	r.miss("k", "a")
	if err := r.s.Remove(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	for name, o := range map[string]Options{
		"a wrong password": {Username: "cache", Password: "wrong", Prefix: "larder:"},
		"another's keys":   {Username: "cache", Password: "secret", Prefix: "other:"},
	} {
		s := on(t, server, o).s
		if _, err := s.Lookup(t.Context(), "k", []store.Tag{"a"}); err == nil {
			t.Errorf("with %s it answers", name)
		}
	}
}

// minimalACL is what docs/design/0006-redis.md tells operators.
var minimalACL = strings.Fields("resetkeys ~larder:* -@all +hello +ping " +
	"+eval +evalsha +info +time +mget +get +set +del +hget +hmget +hset +hdel +hkeys")

// TestTLS: connections are encrypted, and go to nobody whose certificate isn't known.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir)
	port := freePort(t)
	server := tlsServer(t, dir, port)
	_ = server
	o := Options{Addresses: []string{"127.0.0.1:" + port}, TLS: &tls.Config{RootCAs: pool}}
	r := rig{t, open(t, o)}
	r.fill("k", "a")
	o.TLS = &tls.Config{}
	if _, err := open(t, o).Lookup(t.Context(), "k", nil); err == nil {
		t.Error("a server that nobody vouches for answers")
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func tlsServer(t *testing.T, dir, port string) *dbtest.Server {
	t.Helper()
	return dbtest.NewRedis(t, "--tls-port", port, "--tls-auth-clients", "no", "--tls-cert-file", filepath.Join(dir, "cert"),
		"--tls-key-file", filepath.Join(dir, "key"), "--tls-ca-cert-file", filepath.Join(dir, "cert"))
}

// certificate writes a certificate of 127.0.0.1 that vouches for itself.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	// The server may run as another user.
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, block := range map[string]*pem.Block{
		"cert": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "EC PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}
