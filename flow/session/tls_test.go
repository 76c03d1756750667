package session

import (
	"database/sql/driver"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
)

// secureConn is what the proxy knows of connections to a host, with a usual chain of certificates.
func secureConn(host string) flow.Conn {
	end := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	return flow.Conn{
		Client: "127.0.0.1:51234", Local: "127.0.0.1:8403", Origin: "192.0.2.7:443", Target: host + ":443", Reused: true, Tunnel: "CONNECT",
		ClientTLS: &flow.TLS{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", ServerName: host, ALPN: "http/1.1", Offered: []string{"h2", "http/1.1"},
			JA3: "771,4866-4867-4865-49196-49200-159-52393-52392-52394-49195-49199-158-49188-49192-107-49187-49191-103-49162-49172-57-49161-49171-51-157-156-61-60-53-47-255,0-11-10-16-22-23-49-13-43-45-51-21,29-23-30-25-24,0-1-2", JA4: "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6"},
		OriginTLS: &flow.TLS{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", ServerName: host, ALPN: "http/1.1", Offered: []string{"h2", "http/1.1"},
			JA3: "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49161-49171-49162-49172-156-157-47-53-49170-10,0-5-10-11-13-65281-16-18-43-51,4588-29-23-24-25,0", JA4: "t13d1910h2_9dc949149365_e7c285222651",
			Subject: "CN=" + host, Issuer: "CN=E6,O=Let's Encrypt,C=US", SANs: []string{host, "www." + host}, NotAfter: end,
			SHA256: "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0", Verified: true,
			Chain: []flow.Certificate{{Subject: "CN=" + host, Issuer: "CN=E6,O=Let's Encrypt,C=US", NotAfter: end}, {Subject: "CN=E6,O=Let's Encrypt,C=US", Issuer: "CN=ISRG Root X1,O=Internet Security Research Group,C=US", NotAfter: end}}},
	}
}

func recordSecure(s *Store, host string) flow.ID {
	f := post()
	f.Authority = host
	id := s.Begin(f)
	s.End(id, flow.Outcome{Response: refusal(), Conn: secureConn(host)}) // another pointer each time
	return id
}

// sql runs statements on a closed session, and gives the first column of the first row of the last one.
func sql(t *testing.T, path, ask string, args ...driver.Value) (n int64) {
	t.Helper()
	c, err := connect(path, writing)
	if err != nil {
		t.Fatal(err)
	}
	if n, err = c.number(deadline(t), ask, args...); err != nil {
		t.Fatalf("%s: %v", ask, err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// What is known of TLS connections is kept once a host, not once a flow, and
// is read with each flow as it was.
func TestTLSConnectionsAreKeptOnceAHost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.why403")
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []flow.ID
	for range 5 {
		ids = append(ids, recordSecure(s, "a.test"), recordSecure(s, "b.test"))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := sql(t, path, "SELECT count(*) FROM tls"); n != 4 {
		t.Errorf("%d TLS connections are kept, want two for each of two hosts", n)
	}
	if n := sql(t, path, "SELECT max(length(data)) FROM record"); n > 700 {
		t.Errorf("a record takes %d bytes", n)
	}
	s, err = Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, id := range ids {
		f, err := s.Flow(deadline(t), id)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(secureConn([]string{"a.test", "b.test"}[i%2]), f.Conn, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" {
			t.Errorf("flow %d (-recorded +read)\n%s", id, d)
		}
	}
}

// They go with the last flow of the host.
func TestTLSConnectionsGoWithTheHost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.why403")
	s, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	one, two, other := recordSecure(s, "secret.test"), recordSecure(s, "secret.test"), recordSecure(s, "b.test")
	if err := s.Committed(deadline(t), other); err != nil {
		t.Fatal(err)
	}
	name := []byte("www.secret.test")
	for _, c := range []struct {
		id   flow.ID
		left bool
	}{{one, true}, {two, false}} {
		if err := s.Remove(deadline(t), c.id); err != nil {
			t.Fatal(err)
		}
		if in := contains(t, path, name); (in != nil) != c.left {
			t.Errorf("after flow %d was deleted, its certificate's names are in %v", c.id, in)
		}
	}
	again := recordSecure(s, "secret.test") // numbers that memory held are of rows that are gone
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if f, err := s.Flow(deadline(t), again); err != nil || f.Conn.OriginTLS == nil || f.Conn.OriginTLS.Subject != "CN=secret.test" {
		t.Errorf("recorded anew: %v, %+v", err, f)
	}
}

// A file from before there was a table for them is read as it is, and brought up to date for writing.
func TestTLSConnectionsOfAnOldFile(t *testing.T) {
	path := saved(t, filepath.Join(t.TempDir(), "run.why403"), 2)
	old := post()
	old.Conn = secureConn("api.test")
	old.Response = refusal()
	for _, q := range []string{"DROP TABLE tls", "ALTER TABLE record DROP COLUMN client", "ALTER TABLE record DROP COLUMN origin", "PRAGMA user_version = 2"} {
		sql(t, path, q)
	}
	sql(t, path, "UPDATE record SET data = ? WHERE id = 1", appendRecord(nil, old, 2))
	sql(t, path, "UPDATE flow SET open = 1 WHERE id = 1") // its writer was killed
	for _, writable := range []bool{false, true, false} {
		s, err := Open(path, Options{Writable: writable})
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.Flow(deadline(t), 1)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(old.Conn, f.Conn, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" || f.Err == nil {
			t.Errorf("writable %v: %v (-recorded +read)\n%s", writable, f.Err, d)
		}
		if writable {
			recordSecure(s, "api.test")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := sql(t, path, "SELECT count(*) FROM tls"); n != 2 {
		t.Errorf("%d TLS connections in the file brought up to date, want 2", n)
	}
}
